"""Settings from config/default.toml, a file, the environment and --set, validated into frozen dataclasses.

::

    settings = load_settings(Path("own.toml"), os.environ, ["web.port=9000"])
    print(settings.web.port)
"""

from __future__ import annotations

from .load import config_dir, load_all_settings, load_settings, plugin_modules, portal_file
from .sections import (
    AnalyticsSettings,
    BackoffSettings,
    BrowserSettings,
    DatabaseSettings,
    MonitorSettings,
    PluginsSettings,
    PracticeSettings,
    QueueSettings,
    RedisSettings,
    RetentionSettings,
    RuntimeSettings,
    SessionsSettings,
    Settings,
    WebSettings,
)
from .setting import Schema, SettingsError
from .urls import EMBEDDED, is_loopback, local_url, mask_url, reachable_host

__all__ = [
    "EMBEDDED",
    "AnalyticsSettings",
    "BackoffSettings",
    "BrowserSettings",
    "DatabaseSettings",
    "MonitorSettings",
    "PluginsSettings",
    "PracticeSettings",
    "QueueSettings",
    "RedisSettings",
    "RetentionSettings",
    "RuntimeSettings",
    "Schema",
    "SessionsSettings",
    "Settings",
    "SettingsError",
    "WebSettings",
    "config_dir",
    "is_loopback",
    "load_all_settings",
    "load_settings",
    "local_url",
    "mask_url",
    "plugin_modules",
    "portal_file",
    "reachable_host",
]
