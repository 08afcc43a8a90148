"""Looks at the portals: whether something answers at their addresses, asking as little as can be."""

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
    """Sends each portal one HEAD request, and GET where it does not know that; follows no redirects."""

    def __init__(self, portals: Mapping[str, str]) -> None:
        """``portals`` are addresses by the portals' names."""
        self._portals = portals

    async def __call__(self) -> HealthCheckResult:
        """Ask all portals at once, and tell the worst of what they answer."""
        seen: dict[str, HealthCheckResult] = {}

        async def look(name: str, address: str) -> None:
            seen[name] = await look_at(client, name, address)

        async with http_client(USER_AGENT) as client, trio.open_nursery() as nursery:
            for name, address in self._portals.items():
                nursery.start_soon(look, name, address)
        return worst_of([seen[name] for name in self._portals])


async def look_at(client: httpx.AsyncClient, name: str, address: str) -> HealthCheckResult:
    """How one portal answers."""
    try:
        async with client.stream("HEAD", address) as answer:
            status = answer.status_code
        if status in _NO_HEAD:
            async with client.stream("GET", address) as answer:
                status = answer.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        return disconnected(f"the portal {name} cannot be reached at {address}: {_words(error)}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return unhealthy(f"the portal {name} at {address} does not answer: {_words(error)}")
    evidence = f"the portal {name} at {address} answered {status}"
    if status == _TOO_MANY:
        return unhealthy(f"{evidence}: it is asked too often")
    if status >= 500:
        return unhealthy(f"{evidence}: it is in trouble of its own")
    return healthy(evidence)


def worst_of(sights: list[HealthCheckResult]) -> HealthCheckResult:
    """All sights as one: as bad as the worst, with what was seen everywhere."""
    if not sights:
        return healthy("no portal is worked on")
    worst = max(sights, key=lambda sight: _WORST_LAST.index(sight.status))
    errors = [sight.error for sight in sights if sight.error is not None]
    return HealthCheckResult(
        status=worst.status,
        evidence="; ".join(sight.evidence for sight in sights),
        error="; ".join(errors) or None,
    )


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
