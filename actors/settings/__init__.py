"""Settings: config/default.toml, a file, the environment and --set, read strictly into frozen dataclasses."""

from __future__ import annotations

from .addresses import EMBEDDED, is_loopback, mask_url
from .errors import SettingsError
from .load import load_settings
from .places import config_dir, portal_file
from .sections import (
    BackoffSettings,
    BrowserSettings,
    DatabaseSettings,
    PracticeSettings,
    QueueSettings,
    RedisSettings,
    RuntimeSettings,
    SessionsSettings,
    Settings,
    WebSettings,
)

__all__ = [
    "EMBEDDED",
    "BackoffSettings",
    "BrowserSettings",
    "DatabaseSettings",
    "PracticeSettings",
    "QueueSettings",
    "RedisSettings",
    "RuntimeSettings",
    "SessionsSettings",
    "Settings",
    "SettingsError",
    "WebSettings",
    "config_dir",
    "is_loopback",
    "load_settings",
    "mask_url",
    "portal_file",
]
