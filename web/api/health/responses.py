"""Service health as JSON, in both vocabularies of the Compatibility API."""

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
"""Version of the Compatibility API, not of botvisor."""
REQUIRED_ACTORS: Final = {ServiceName.DATABASE: "database/db_writer", ServiceName.REDIS: "mirror/redis_sync"}
"""The actor that uses each service; while it is not running, its service counts as unhealthy."""
UNHEALTHY_ISSUES: Final = 3
"""With this many issues the status is unhealthy, with fewer degraded."""
NO_HEALTH: Final = "the health registry gives no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Status of one component."""

    status: str
    """``healthy``, ``unhealthy`` or ``not_configured``, the values of the Compatibility API."""
    message: str

    @property
    def text(self) -> str:
        """Status and message in one string, as in ``checks`` of the Compatibility API."""
        return f"unhealthy: {self.message}" if self.status == "unhealthy" else self.status


def health_json(tree: Node, view: HealthView | None, now: datetime) -> Json:
    """The body of ``/health``; ``view`` is None if the health registry gives no answer."""
    checks = {name: component(find(tree, path), view, name) for name, path in REQUIRED_ACTORS.items()}
    issues = [f"{name}: {check.text}" for name, check in checks.items() if check.status == "unhealthy"]
    issues += [
        f"{service.name}: {service.status}: {service.error}"
        for service in (() if view is None else view.services)
        if service.name not in checks and service.status in BROKEN
    ]
    components: Json = {"api": {"status": "healthy", "message": "answers"}}
    components |= {name: {"status": check.status, "message": check.message} for name, check in checks.items()}
    components["scrapers"] = {
        "status": "not_configured",
        "message": "no scraper is configured",
        "total_scrapers": 0,
    }
    return {
        "status": "unhealthy" if len(issues) >= UNHEALTHY_ISSUES else "degraded" if issues else "healthy",
        "timestamp": iso(now),
        "service": SERVICE,
        "version": VERSION,
        "checks": {name: check.text for name, check in checks.items()},
        "components": components,
        "issues": issues,
    }


def component(actor: Node | None, view: HealthView | None, name: ServiceName) -> Component:
    """Status of a component: healthy only if its latest check is and the actor that uses it is running."""
    if actor is None:
        return Component(status="not_configured", message="not configured")
    service = None if view is None else view.service(name)
    if service is not None and service.status in BROKEN:
        return Component(status="unhealthy", message=service.error or str(service.status))
    if actor.state is not ChildState.RUNNING:
        return Component(status="unhealthy", message=actor.last_error or str(actor.state))
    if service is None or service.status is not ServiceStatus.HEALTHY:
        reason = NO_HEALTH if service is None else service.error or "not checked yet"
        return Component(status="unhealthy", message=f"unknown: {reason}")
    return Component(status="healthy", message=service.evidence or "healthy")


def detailed_json(view: HealthView) -> Json:
    """The latest check of every service."""
    return {
        "overall_status": view.overall,
        "services": {service.name: service_json(service) for service in view.services},
        "monitoring_active": True,
        "check_interval": max(1, round(view.interval)),
        "warnings": [service.warning for service in view.services if service.warning is not None],
    }


def no_health_json() -> Json:
    """The same if the health registry gives no answer: every service is unknown."""
    unknown = {
        "status": ServiceStatus.UNKNOWN,
        "last_check": None,
        "retry_count": 0,
        "latency_ms": None,
        "error": NO_HEALTH,
        "evidence": None,
        "warning": None,
    }
    return {
        "overall_status": "error",
        "services": {name: dict(unknown) for name in ServiceName},
        "monitoring_active": False,
        "check_interval": 0,
        "warnings": [],
        "error": NO_HEALTH,
    }


def service_json(service: ServiceHealth) -> Json:
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


def missing_requirements(tree: Node | None, view: HealthView | None) -> Sequence[str]:
    """Why this process is not ready; public, so it names components and no details."""
    reasons: list[str] = []
    if not is_started(tree):
        reasons.append("start-up has not finished")
    database = None if view is None else view.service(ServiceName.DATABASE)
    status = ServiceStatus.UNKNOWN if database is None else database.status
    if status is not ServiceStatus.HEALTHY:
        reasons.append(f"database is {status}")
    writer = None if tree is None else find(tree, REQUIRED_ACTORS[ServiceName.DATABASE])
    if writer is not None and writer.state is not ChildState.RUNNING:
        reasons.append("database writer is not running")
    return reasons


def is_started(tree: Node | None) -> bool:
    """Whether the whole tree was ready once."""
    return tree is not None and tree.state is not ChildState.STARTING


def is_running(tree: Node, name: ServiceName) -> bool:
    """Whether the actor that uses a service is running; it fails within moments of losing the service."""
    actor = find(tree, REQUIRED_ACTORS[name])
    return actor is not None and actor.state is ChildState.RUNNING


def find(tree: Node, path: str) -> Node | None:
    """The node at a path below the root."""
    for child in tree.children:
        name, _, rest = path.partition("/")
        if child.id == name:
            return find(child, rest) if rest else child
    return None
