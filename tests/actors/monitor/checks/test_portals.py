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
    """A site that answers with these, one after the other, and what it was asked."""
    asked: list[str] = []
    left = list(statuses)

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive_some()
            asked.append(request.decode().partition(" HTTP")[0])
            head = f"HTTP/1.1 {left.pop(0)} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            await stream.send_all(head.encode())

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port: int = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}", asked
        nursery.cancel_scope.cancel()


async def test_one_head_request_is_enough():
    """A redirect is an answer, and not followed."""
    async with portal(303) as (address, asked):
        sight = await PortalsCheck({"practice": address})()
    assert sight.status is ServiceStatus.HEALTHY
    assert sight.evidence == f"the portal practice at {address} answered 303"
    assert asked == ["HEAD /"]


async def test_a_portal_that_knows_no_head_is_asked_again():
    """With the request that all of them know."""
    async with portal(405, 200) as (address, asked):
        sight = await PortalsCheck({"practice": address})()
    assert sight.status is ServiceStatus.HEALTHY
    assert asked == ["HEAD /", "GET /"]


@pytest.mark.parametrize(
    ("status", "found", "word"),
    [
        (200, ServiceStatus.HEALTHY, None),
        (401, ServiceStatus.HEALTHY, None),
        (404, ServiceStatus.HEALTHY, None),
        (429, ServiceStatus.UNHEALTHY, "too often"),
        (500, ServiceStatus.UNHEALTHY, "in trouble of its own"),
        (503, ServiceStatus.UNHEALTHY, "in trouble of its own"),
    ],
)
async def test_what_an_answer_means(status: int, found: ServiceStatus, word: str | None):
    """Whoever answers is there; only trouble of its own makes it unhealthy."""
    async with portal(status) as (address, _):
        sight = await PortalsCheck({"practice": address})()
    assert sight.status is found
    assert (sight.error is None) == (word is None)
    assert word is None or word in str(sight.error)


async def test_a_portal_that_is_down_is_disconnected_and_comes_back():
    """Nobody listens, so nobody is there."""
    async with portal(200) as (address, _):
        look = PortalsCheck({"practice": address})
        assert (await look()).status is ServiceStatus.HEALTHY
    sight = await look()
    assert sight.status is ServiceStatus.DISCONNECTED
    assert sight.error is not None
    assert sight.error.startswith(f"the portal practice cannot be reached at {address}")


async def test_a_portal_that_hangs_up_is_unhealthy():
    """It is there and says nothing that makes sense."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, hang_up, 0)
        address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        sight = await PortalsCheck({"practice": address})()
        nursery.cancel_scope.cancel()
    assert sight.status is ServiceStatus.UNHEALTHY
    assert "does not answer" in str(sight.error)


async def test_an_address_that_makes_no_sense_does_not_end_the_probe():
    """It is told like any other that nobody answers at."""
    for address in ("http://[x", "nonsense", "ftp://127.0.0.1:1"):
        sight = await PortalsCheck({"odd": address})()
        assert sight.status in (ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED)


@pytest.mark.parametrize(
    ("sights", "status"),
    [
        ([], ServiceStatus.HEALTHY),
        ([healthy("a"), healthy("b")], ServiceStatus.HEALTHY),
        ([healthy("a"), disconnected("b")], ServiceStatus.DISCONNECTED),
        ([unhealthy("a"), disconnected("b"), healthy("c")], ServiceStatus.UNHEALTHY),
    ],
)
def test_several_portals_are_as_bad_as_the_worst(sights: list[HealthCheckResult], status: ServiceStatus):
    """And nothing that was seen is left out."""
    worst = worst_of(sights)
    assert worst.status is status
    assert all(sight.evidence in worst.evidence for sight in sights)
    assert all(sight.error is None or sight.error in str(worst.error) for sight in sights)
