"""The rules that sessions work by, as clients of the Compatibility API read and write them."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired
from uuid import UUID

from typing_extensions import TypedDict


class ConfigurationModel(TypedDict):
    """A whole configuration."""

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


class ConfigurationChanges(TypedDict):
    """Any of the fields; what is left out stays as it is."""

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


class NewConfiguration(ConfigurationChanges):
    """A name that no other has, and any of the other fields."""

    config_name: str  # type: ignore[misc] # pyright: ignore[reportIncompatibleVariableOverride]


class SaidModel(TypedDict):
    """What was done."""

    status: str
    message: str


class RealtimeBody(TypedDict):
    """What a bot's own process has to tell."""

    type: str
    data: dict[str, object]
    timestamp: NotRequired[datetime]
