"""OpenAPI models of configurations: the fields of the Compatibility API."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired
from uuid import UUID

from typing_extensions import TypedDict


class ConfigurationModel(TypedDict):
    """A configuration."""

    id: UUID
    config_name: str
    check_interval_seconds: float
    results_report_interval_seconds: int
    rejected_report_interval_seconds: int
    quick_check_interval_seconds: int
    enable_quick_check: bool
    enable_results_reporting: bool
    enable_rejected_reporting: bool
    max_accept_per_run: int
    job_type_filter: str
    exclude_types: list[str]
    is_active: bool
    created_at: datetime
    updated_at: datetime | None


class ConfigurationChangesBody(TypedDict):
    """Any of the fields; missing fields stay unchanged."""

    config_name: NotRequired[str]
    check_interval_seconds: NotRequired[float]
    results_report_interval_seconds: NotRequired[int]
    rejected_report_interval_seconds: NotRequired[int]
    quick_check_interval_seconds: NotRequired[int]
    enable_quick_check: NotRequired[bool]
    enable_results_reporting: NotRequired[bool]
    enable_rejected_reporting: NotRequired[bool]
    max_accept_per_run: NotRequired[int]
    job_type_filter: NotRequired[str]
    exclude_types: NotRequired[list[str]]


class NewConfigurationBody(ConfigurationChangesBody):
    """A unique name, and any of the other fields."""

    config_name: str  # type: ignore[misc] # pyright: ignore[reportIncompatibleVariableOverride]


class MessageModel(TypedDict):
    """What was done."""

    status: str
    message: str


class RealtimeBody(TypedDict):
    """A message for WebSocket clients."""

    type: str
    data: dict[str, object]
    timestamp: NotRequired[datetime]
