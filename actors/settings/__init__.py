"""Settings: config/default.toml, a file, the environment and --set, read strictly into frozen dataclasses."""

from __future__ import annotations

from .errors import SettingsError
from .load import load_settings
from .paths import config_dir, portal_file
from .sections import (
    AnalyticsSettings,
    BackoffSettings,
    BrowserSettings,
    DatabaseSettings,
    MonitorSettings,
    PracticeSettings,
    QueueSettings,
    RedisSettings,
    RetentionSettings,
    RuntimeSettings,
    SessionsSettings,
    Settings,
    WebSettings,
)
from .urls import EMBEDDED, is_loopback, local_url, mask_url, reachable_host

__all__ = [
    "EMBEDDED",
    "AnalyticsSettings",
    "BackoffSettings",
    "BrowserSettings",
    "DatabaseSettings",
    "MonitorSettings",
    "PracticeSettings",
    "QueueSettings",
    "RedisSettings",
    "RetentionSettings",
    "RuntimeSettings",
    "SessionsSettings",
    "Settings",
    "SettingsError",
    "WebSettings",
    "config_dir",
    "is_loopback",
    "load_settings",
    "local_url",
    "mask_url",
    "portal_file",
    "reachable_host",
]
