"""The settings as dataclasses, one per section of config/default.toml, which explains each key.

Every number has an upper bound, so that every timeout, pool and buffer is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Interval, MaxLen, MinLen
from pydantic import SecretStr

Name = Annotated[str, MinLen(1)]
Secret = Annotated[SecretStr, MinLen(1)]
"""A non-empty secret; never shown."""
Port = Annotated[int, Interval(ge=0, le=65_535)]
Share = Annotated[float, Interval(ge=0, le=1)]
Wait = Annotated[float, Interval(gt=0, le=300)]
"""Timeout in seconds."""
Period = Annotated[float, Interval(gt=0, le=86_400)]
"""Interval in seconds."""
PeriodOrOff = Annotated[float, Interval(ge=0, le=86_400)]
"""Interval in seconds; 0 means off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """The process and its supervisors."""

    data_dir: str
    environment: Literal["development", "production"]
    log_level: Literal["debug", "info", "warning", "error"]
    stop_timeout_seconds: Wait
    max_restarts: Annotated[int, Interval(ge=0, le=10_000)]
    restart_period_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings:
    """Delays between restarts."""

    minimum_seconds: Period
    maximum_seconds: Period
    factor: Annotated[float, Interval(ge=1, le=100)]
    jitter: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """PostgreSQL. After loading, ``url`` contains the password; show only its `mask_url`."""

    url: Annotated[str, MinLen(1)] = field(repr=False)
    password_file: str
    pool_size: Annotated[int, Interval(ge=1, le=1_000)]
    connect_timeout_seconds: Wait
    statement_timeout_seconds: Period
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Redis. After loading, ``url`` contains the password; show only its `mask_url`."""

    url: Annotated[str, MinLen(1)] = field(repr=False)
    password_file: str
    timeout_seconds: Wait
    flush_interval_seconds: Annotated[float, Interval(ge=0.001, le=60)]
    key_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Health checks of the services."""

    interval_seconds: Period
    retry_delay_seconds: Period
    timeout_seconds: Wait
    max_retries: Annotated[int, Interval(ge=0, le=1_000)]
    stale_after_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The task queue and this instance's workers on it."""

    concurrency: Annotated[int, Interval(ge=1, le=1_000)]
    lease_seconds: Annotated[float, Interval(ge=0.1, le=3_600)]
    max_stalls: Annotated[int, Interval(ge=0, le=100)]
    priority_aging_seconds: Annotated[float, Interval(ge=0.001, le=86_400)]
    poll_seconds: Annotated[float, Interval(ge=0.01, le=60)]
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]
    retention_hours: Annotated[float, Interval(ge=0, le=87_600)]
    retention_count: Annotated[int, Interval(ge=0, le=100_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsSettings:
    """Aggregation of ``analytics_periods``."""

    interval_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """Deletion of old rows."""

    days: Annotated[float, Interval(ge=1, le=36_500)]
    interval_seconds: Period
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """REST, WebSocket and the page. After loading, ``token`` has the content of ``token_file``, if set."""

    host: Name
    port: Port
    token: SecretStr
    token_file: str
    allowed_origins: tuple[str, ...]
    max_body_bytes: Annotated[int, Interval(ge=1_024, le=1_073_741_824)]
    max_clients: Annotated[int, Interval(ge=1, le=100_000)]
    status_interval_seconds: Period
    ping_interval_seconds: Period
    ping_timeout_seconds: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsSettings:
    """Bot sessions. After loading, ``password`` has the content of ``password_file``, if set."""

    autostart: bool
    session_name: Annotated[str, MaxLen(255)]
    portal: Name
    portal_url: str
    engine: Literal["auto", "browser", "http"]
    username: str
    password: SecretStr
    password_file: str
    secret_key_file: str
    max_sessions: Annotated[int, Interval(ge=1, le=1_000)]
    lease_seconds: Annotated[float, Interval(ge=10, le=3_600)]
    screenshot_keep_count: Annotated[int, Interval(ge=0, le=100_000)]
    screenshot_keep_hours: Annotated[float, Interval(ge=0, le=87_600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSettings:
    """The one Chromium that all sessions share."""

    executable: str
    headless: bool
    max_active_pages: Annotated[int, Interval(ge=1, le=100)]
    heartbeat_seconds: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeSettings:
    """The practice portal and its faults."""

    enabled: bool
    host: Name
    port: Port
    seed: Annotated[int, Interval(ge=0, le=2**63 - 1)]
    username: Name
    password: Secret
    totp_secret: SecretStr
    initial_jobs: Annotated[int, Interval(ge=0, le=200)]
    arrival_seconds: PeriodOrOff
    taken_share: Share
    taken_after_seconds: Period
    session_seconds: PeriodOrOff
    slow_share: Share
    slow_seconds: Annotated[float, Interval(ge=0, le=300)]
    error_share: Share
    markup_share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsSettings:
    """Capabilities from the user's own packages."""

    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, validated; its repr shows no secrets."""

    runtime: RuntimeSettings
    backoff: BackoffSettings
    database: DatabaseSettings
    redis: RedisSettings
    monitor: MonitorSettings
    queue: QueueSettings
    analytics: AnalyticsSettings
    retention: RetentionSettings
    web: WebSettings
    sessions: SessionsSettings
    browser: BrowserSettings
    practice: PracticeSettings
    plugins: PluginsSettings
