"""The settings as dataclasses: one for each section of config/default.toml, where each key is explained.

Every number has an upper bound, so that no wait, pool or buffer can be configured to be endless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Interval, MaxLen, MinLen
from pydantic import SecretStr

Name = Annotated[str, MinLen(1)]
Secret = Annotated[SecretStr, MinLen(1)]
"""A text of that kind is never shown."""
Port = Annotated[int, Interval(ge=0, le=65_535)]
Share = Annotated[float, Interval(ge=0, le=1)]
Wait = Annotated[float, Interval(gt=0, le=300)]
"""Seconds that something may take."""
Period = Annotated[float, Interval(gt=0, le=86_400)]
"""Seconds between two of something."""
PeriodOrOff = Annotated[float, Interval(ge=0, le=86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """What concerns the process and its supervisors."""

    data_dir: str
    environment: Literal["development", "production"]
    log_level: Literal["debug", "info", "warning", "error"]
    stop_timeout_seconds: Wait
    max_restarts: Annotated[int, Interval(ge=0, le=10_000)]
    restart_period_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings:
    """How long a restart waits."""

    minimum_seconds: Period
    maximum_seconds: Period
    factor: Annotated[float, Interval(ge=1, le=100)]
    jitter: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """PostgreSQL. Once loaded, ``url`` has the password of ``password_file`` in it; show its `mask_url`."""

    url: Annotated[str, MinLen(1)] = field(repr=False)
    password_file: str
    pool_size: Annotated[int, Interval(ge=1, le=1_000)]
    connect_timeout_seconds: Wait
    statement_timeout_seconds: Period
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Redis. Once loaded, ``url`` has the password of ``password_file`` in it; show its `mask_url`."""

    url: Annotated[str, MinLen(1)] = field(repr=False)
    password_file: str
    timeout_seconds: Wait
    flush_interval_seconds: Annotated[float, Interval(ge=0.001, le=60)]
    key_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """How often the services are looked at, and how long what was seen counts."""

    interval_seconds: Period
    retry_delay_seconds: Period
    timeout_seconds: Wait
    max_retries: Annotated[int, Interval(ge=0, le=1_000)]
    stale_after_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The task queue and this instance's workers on it."""

    slots: Annotated[int, Interval(ge=1, le=1_000)]
    lease_seconds: Annotated[float, Interval(ge=0.1, le=3_600)]
    max_stalls: Annotated[int, Interval(ge=0, le=100)]
    age_seconds: Annotated[float, Interval(ge=0.001, le=86_400)]
    poll_seconds: Annotated[float, Interval(ge=0.01, le=60)]
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]
    keep_hours: Annotated[float, Interval(ge=0, le=87_600)]
    keep_count: Annotated[int, Interval(ge=0, le=100_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsSettings:
    """The four-hour periods of ``analytics_periods``."""

    every_seconds: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long what happened stays on record."""

    keep_days: Annotated[float, Interval(ge=1, le=36_500)]
    every_seconds: Period
    batch_size: Annotated[int, Interval(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """REST, WebSocket and the page. Once loaded, ``token`` has the content of ``token_file``, if set."""

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
    """Bot sessions. Once loaded, ``password`` is the content of ``password_file`` where that is set."""

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
    max_active: Annotated[int, Interval(ge=1, le=100)]
    heartbeat_seconds: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeSettings:
    """The practice portal and its quirks."""

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
class Settings:
    """Everything that can be configured, checked; no secret shows in its repr."""

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
