"""Health check of the portals: each answers an HTTP request at its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx
import trio

from ...portals.http.client import http_client
from ..status import ServiceStatus
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

USER_AGENT: Final = "botvisor monitor"

_NO_HEAD: Final = (405, 501)
_TOO_MANY: Final = 429
_WORST_LAST: Final = (ServiceStatus.HEALTHY, ServiceStatus.DISCONNECTED, ServiceStatus.UNHEALTHY)


class PortalsCheck:
    """Sends each portal one HEAD request, and GET where it does not support HEAD; follows no redirects."""

    def __init__(self, portals: Mapping[str, str]) -> None:
        """``portals`` are base URLs by portal name."""
        self._portals = portals

    async def __call__(self) -> HealthCheckResult:
        """Check all portals at once, and return the worst result."""
        results: dict[str, HealthCheckResult] = {}

        async def check(name: str, address: str) -> None:
            results[name] = await check_portal(client, name, address)

        async with http_client(USER_AGENT) as client, trio.open_nursery() as nursery:
            for name, address in self._portals.items():
                nursery.start_soon(check, name, address)
        return worst_of([results[name] for name in self._portals])


async def check_portal(client: httpx.AsyncClient, name: str, address: str) -> HealthCheckResult:
    """Check one portal."""
    try:
        async with client.stream("HEAD", address) as response:
            status = response.status_code
        if status in _NO_HEAD:
            async with client.stream("GET", address) as response:
                status = response.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        return disconnected(f"portal {name} is unreachable at {address}: {_reason(error)}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return unhealthy(f"portal {name} at {address} does not answer: {_reason(error)}")
    evidence = f"portal {name} at {address} answered {status}"
    if status == _TOO_MANY:
        return unhealthy(f"{evidence}: too many requests")
    if status >= 500:
        return unhealthy(f"{evidence}: server error")
    return healthy(evidence)


def worst_of(results: list[HealthCheckResult]) -> HealthCheckResult:
    """Combine results: the worst status, with the evidence and the errors of all."""
    if not results:
        return healthy("no portal is configured")
    worst = max(results, key=lambda result: _WORST_LAST.index(result.status))
    errors = [result.error for result in results if result.error is not None]
    return HealthCheckResult(
        status=worst.status,
        evidence="; ".join(result.evidence for result in results),
        error="; ".join(errors) or None,
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
