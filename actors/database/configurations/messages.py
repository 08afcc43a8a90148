"""Messages that read and change the configurations of sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from runtime import Request

from ..rows import ConfigurationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanges:
    """New values of a configuration; None leaves a value as it is, so concurrent changes do not collide."""

    config_name: str | None = None
    check_interval_seconds: Decimal | None = None
    results_report_interval_seconds: int | None = None
    rejected_report_interval_seconds: int | None = None
    quick_check_interval_seconds: int | None = None
    enable_quick_check: bool | None = None
    enable_results_reporting: bool | None = None
    enable_rejected_reporting: bool | None = None
    max_accept_per_run: int | None = None
    job_type_filter: str | None = None
    exclude_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConfiguration(Request[ConfigurationRow]):
    """Change some values of a configuration, and reply with all of them.

    If a value differs, ``ConfigurationChanged`` is published after the commit.
    Refused with ``NoSuchConfiguration`` or ``ConfigurationNameTaken``.
    """

    config_id: UUID | None = None
    """None means the active one."""
    changes: ConfigurationChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateConfiguration(Request[ConfigurationRow]):
    """Add an inactive configuration; values missing in ``values`` get the table's defaults.

    A second time with the same id changes nothing. Refused with ``ConfigurationNameTaken``.
    """

    id: UUID
    config_name: str
    values: ConfigurationChanges = field(default_factory=ConfigurationChanges)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateConfiguration(Request[ConfigurationRow]):
    """Make it the configuration of all sessions that have none of their own.

    Refused with ``NoSuchConfiguration``.
    """

    config_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationsQuery(Request[list[ConfigurationRow]]):
    """All configurations by name, the active one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationQuery(Request[ConfigurationRow]):
    """One configuration. Refused with ``NoSuchConfiguration``."""

    config_id: UUID | None = None
    """None means the active one."""
