"""How the parts are, as clients of the Compatibility API read it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

ServiceState = Literal["healthy", "unhealthy", "disconnected", "unknown"]
ServiceKey = Literal["database", "redis", "bot_process", "external_api", "websocket"]
Overall = Literal["healthy", "degraded", "partial", "unknown", "error"]


class ChecksModel(TypedDict):
    """A word for each, and a sentence where it is not healthy."""

    database: str
    redis: str


class ComponentModel(TypedDict):
    """A part."""

    status: str
    message: str
    total_scrapers: NotRequired[int]


class HealthModel(TypedDict):
    """Both vocabularies of the Compatibility API in one body."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    service: str
    version: str
    checks: ChecksModel
    components: dict[str, ComponentModel]
    issues: list[str]


class ServiceModel(TypedDict):
    """The latest observation of a service; one that is too old is `unknown`."""

    status: ServiceState
    last_check: datetime | None
    retry_count: int
    latency_ms: float | None
    error: str | None
    evidence: str | None
    warning: str | None


class OneServiceModel(ServiceModel):
    """The same of a service that was asked for."""

    name: ServiceKey


class DetailedModel(TypedDict):
    """All services; `error` where the monitor itself gives no answer."""

    overall_status: Overall
    services: dict[ServiceKey, ServiceModel]
    monitoring_active: bool
    check_interval: int
    warnings: list[str]
    error: NotRequired[str]


class ForcedModel(TypedDict):
    """All services as they were just now."""

    message: str
    timestamp: datetime
    overall_status: Overall
    services: dict[ServiceKey, ServiceModel]


class LiveModel(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class ReadyModel(TypedDict):
    """Whether the process has what it needs, and what it lacks."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


class StartedModel(TypedDict):
    """Whether start-up has finished."""

    status: Literal["started", "starting"]
