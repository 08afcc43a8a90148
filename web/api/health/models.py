"""OpenAPI models of health and of the process probes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

ServiceState = Literal["healthy", "unhealthy", "disconnected", "unknown"]
ServiceKey = Literal["database", "redis", "bot_process", "external_api", "websocket"]
Overall = Literal["healthy", "degraded", "partial", "unknown", "error"]


class ChecksModel(TypedDict):
    """`healthy`, `not_configured`, or `unhealthy: ` with the reason."""

    database: str
    redis: str


class ComponentModel(TypedDict):
    """Status of a component."""

    status: str
    message: str
    total_scrapers: NotRequired[int]


class HealthModel(TypedDict):
    """Health in both vocabularies of the Compatibility API."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    service: str
    version: str
    checks: ChecksModel
    components: dict[str, ComponentModel]
    issues: list[str]


class ServiceModel(TypedDict):
    """The latest check of a service; an outdated one is `unknown`."""

    status: ServiceState
    last_check: datetime | None
    retry_count: int
    latency_ms: float | None
    error: str | None
    evidence: str | None
    warning: str | None


class OneServiceModel(ServiceModel):
    """The latest check of the requested service."""

    name: ServiceKey


class DetailedModel(TypedDict):
    """All services; `error` if the health registry gives no answer."""

    overall_status: Overall
    services: dict[ServiceKey, ServiceModel]
    monitoring_active: bool
    check_interval: int
    warnings: list[str]
    error: NotRequired[str]


class ForcedModel(TypedDict):
    """Result of the forced checks."""

    message: str
    timestamp: datetime
    overall_status: Overall
    services: dict[ServiceKey, ServiceModel]


class LiveModel(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class ReadyModel(TypedDict):
    """Whether the process is ready, and why not."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


class StartedModel(TypedDict):
    """Whether start-up has finished."""

    status: Literal["started", "starting"]
