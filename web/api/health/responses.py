"""How things are, as the JSON of each vocabulary that watchers read; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from actors.monitor.messages import HealthView, ServiceHealth
from actors.monitor.status import BROKEN, ServiceName, ServiceStatus
from runtime import ChildState, Node

from ..serializers import Json, iso

SERVICE: Final = "AtoZ Bot Dashboard API"
VERSION: Final = "2.0.0"
"""Of the Compatibility API, which its clients read; not of botvisor."""
KEEPERS: Final = {ServiceName.DATABASE: "database/db_writer", ServiceName.REDIS: "mirror/redis_sync"}
"""The actors that nothing works without, however well their servers are."""
MANY: Final = 3
"""With so many issues the whole is unhealthy, and no longer degraded."""
OUT_OF_SIGHT: Final = "the monitor gives no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is said of one part."""

    status: str
    """``healthy``, ``unhealthy`` or ``not_configured``: the Compatibility API has no more words."""
    message: str

    @property
    def text(self) -> str:
        """Both in one, as the Compatibility API's ``checks`` have it."""
        return f"unhealthy: {self.message}" if self.status == "unhealthy" else self.status


def health(tree: Node, view: HealthView | None, now: datetime) -> Json:
    """Both vocabularies of ``/health`` in one body; without a view the monitor gave none."""
    checks = {name: check(find(tree, path), view, name) for name, path in KEEPERS.items()}
    issues = [f"{name}: {one.text}" for name, one in checks.items() if one.status == "unhealthy"]
    issues += [
        f"{service.name}: {service.status}: {service.error}"
        for service in (() if view is None else view.services)
        if service.name not in checks and service.status in BROKEN
    ]
    components: Json = {"api": {"status": "healthy", "message": "answers"}}
    components |= {name: {"status": one.status, "message": one.message} for name, one in checks.items()}
    components["scrapers"] = {
        "status": "not_configured",
        "message": "no scraper is configured",
        "total_scrapers": 0,
    }
    return {
        "status": "unhealthy" if len(issues) >= MANY else "degraded" if issues else "healthy",
        "timestamp": iso(now),
        "service": SERVICE,
        "version": VERSION,
        "checks": {name: one.text for name, one in checks.items()},
        "components": components,
        "issues": issues,
    }


def check(keeper: Node | None, view: HealthView | None, name: ServiceName) -> Check:
    """How a part is: healthy only if it was seen to be, and the actor that works with it runs."""
    if keeper is None:
        return Check(status="not_configured", message="not configured")
    seen = None if view is None else view.service(name)
    if seen is not None and seen.status in BROKEN:
        return Check(status="unhealthy", message=seen.error or str(seen.status))
    if keeper.state is not ChildState.RUNNING:
        return Check(status="unhealthy", message=keeper.last_error or str(keeper.state))
    if seen is None or seen.status is not ServiceStatus.HEALTHY:
        reason = OUT_OF_SIGHT if seen is None else seen.error or "nobody has looked yet"
        return Check(status="unhealthy", message=f"not known: {reason}")
    return Check(status="healthy", message=seen.evidence or "healthy")


def detailed(view: HealthView) -> Json:
    """All services with what is known of each."""
    return {
        "overall_status": view.overall,
        "services": {service.name: service_facts(service) for service in view.services},
        "monitoring_active": True,
        "check_interval": max(1, round(view.interval)),
        "warnings": [service.warning for service in view.services if service.warning is not None],
    }


def out_of_sight() -> Json:
    """The same while the monitor gives no answer: nothing is known."""
    nothing = {
        "status": ServiceStatus.UNKNOWN,
        "last_check": None,
        "retry_count": 0,
        "latency_ms": None,
        "error": OUT_OF_SIGHT,
        "evidence": None,
        "warning": None,
    }
    return {
        "overall_status": "error",
        "services": {name: dict(nothing) for name in ServiceName},
        "monitoring_active": False,
        "check_interval": 0,
        "warnings": [],
        "error": OUT_OF_SIGHT,
    }


def service_facts(service: ServiceHealth) -> Json:
    """One service, without its name."""
    return {
        "status": service.status,
        "last_check": iso(service.last_check),
        "retry_count": service.retry_count,
        "latency_ms": service.latency_ms,
        "error": service.error,
        "evidence": service.evidence,
        "warning": service.warning,
    }


def unready(tree: Node | None, view: HealthView | None) -> Sequence[str]:
    """What this process needs and does not have; said to anybody, so it names nothing but parts."""
    reasons: list[str] = []
    if not is_started(tree):
        reasons.append("start-up has not finished")
    database = None if view is None else view.service(ServiceName.DATABASE)
    status = ServiceStatus.UNKNOWN if database is None else database.status
    if status is not ServiceStatus.HEALTHY:
        reasons.append(f"database is {status}")
    writer = None if tree is None else find(tree, KEEPERS[ServiceName.DATABASE])
    if writer is not None and writer.state is not ChildState.RUNNING:
        reasons.append("nothing can be recorded at the moment")
    return reasons


def is_started(tree: Node | None) -> bool:
    """Whether the whole tree was ready once."""
    return tree is not None and tree.state is not ChildState.STARTING


def is_kept(tree: Node, name: ServiceName) -> bool:
    """Whether the actor runs that works with a part; it fails within moments of losing that."""
    keeper = find(tree, KEEPERS[name])
    return keeper is not None and keeper.state is ChildState.RUNNING


def find(tree: Node, path: str) -> Node | None:
    """The node at a path below the root."""
    for child in tree.children:
        name, _, rest = path.partition("/")
        if child.id == name:
            return find(child, rest) if rest else child
    return None
