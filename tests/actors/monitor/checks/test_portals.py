from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from actors.monitor.checks.health_check import HealthCheckResult, disconnected, healthy, unhealthy
from actors.monitor.checks.portals import PortalsCheck, worst_of
from actors.monitor.status import ServiceStatus


@asynccontextmanager
async def portal(*statuses: int) -> AsyncGenerator[tuple[str, list[str]], None]:
    """A site that answers with these statuses, one after the other, and the requests that it received."""
    requests: list[str] = []
    left = list(statuses)

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive_some()
            requests.append(request.decode().partition(" HTTP")[0])
            head = f"HTTP/1.1 {left.pop(0)} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            await stream.send_all(head.encode())

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port: int = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}", requests
        nursery.cancel_scope.cancel()


async def test_one_head_request_is_enough():
    """A redirect is an answer, and is not followed."""
    async with portal(303) as (address, requests):
        result = await PortalsCheck({"practice": address})()
    assert result.status is ServiceStatus.HEALTHY
    assert result.evidence == f"portal practice at {address} answered 303"
    assert requests == ["HEAD /"]


async def test_a_portal_without_head_gets_a_get_request():
    """Which every site supports."""
    async with portal(405, 200) as (address, requests):
        result = await PortalsCheck({"practice": address})()
    assert result.status is ServiceStatus.HEALTHY
    assert requests == ["HEAD /", "GET /"]


@pytest.mark.parametrize(
    ("status", "found", "word"),
    [
        (200, ServiceStatus.HEALTHY, None),
        (401, ServiceStatus.HEALTHY, None),
        (404, ServiceStatus.HEALTHY, None),
        (429, ServiceStatus.UNHEALTHY, "too many requests"),
        (500, ServiceStatus.UNHEALTHY, "server error"),
        (503, ServiceStatus.UNHEALTHY, "server error"),
    ],
)
async def test_a_status_code_decides(status: int, found: ServiceStatus, word: str | None):
    """Only too many requests and server errors are unhealthy."""
    async with portal(status) as (address, _):
        result = await PortalsCheck({"practice": address})()
    assert result.status is found
    assert (result.error is None) == (word is None)
    assert word is None or word in str(result.error)


async def test_a_portal_that_is_down_is_disconnected_and_comes_back():
    """A closed port is unreachable."""
    async with portal(200) as (address, _):
        check = PortalsCheck({"practice": address})
        assert (await check()).status is ServiceStatus.HEALTHY
    result = await check()
    assert result.status is ServiceStatus.DISCONNECTED
    assert result.error is not None
    assert result.error.startswith(f"portal practice is unreachable at {address}")


async def test_a_portal_that_hangs_up_is_unhealthy():
    """It is reachable, but sends no response."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, hang_up, 0)
        address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        result = await PortalsCheck({"practice": address})()
        nursery.cancel_scope.cancel()
    assert result.status is ServiceStatus.UNHEALTHY
    assert "does not answer" in str(result.error)


async def test_an_invalid_address_is_a_result():
    """It does not crash the probe."""
    for address in ("http://[x", "nonsense", "ftp://127.0.0.1:1"):
        result = await PortalsCheck({"odd": address})()
        assert result.status in (ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], ServiceStatus.HEALTHY),
        ([healthy("a"), healthy("b")], ServiceStatus.HEALTHY),
        ([healthy("a"), disconnected("b")], ServiceStatus.DISCONNECTED),
        ([unhealthy("a"), disconnected("b"), healthy("c")], ServiceStatus.UNHEALTHY),
    ],
)
def test_several_portals_are_as_bad_as_the_worst(results: list[HealthCheckResult], status: ServiceStatus):
    """With the evidence and the errors of all."""
    worst = worst_of(results)
    assert worst.status is status
    assert all(result.evidence in worst.evidence for result in results)
    assert all(result.error is None or result.error in str(worst.error) for result in results)
