"""Loads and validates the settings: merges the layers, reads secret files, and checks rules between settings.

`plugin_modules` reads the list of plugins alone, before their sections of the settings are known.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Final, cast

from pydantic import TypeAdapter

from .layers import PREFIX, environment_layer, file_layer, override_layer
from .secret_files import with_secrets
from .sections import Settings
from .setting import Schema, SettingsError
from .urls import EMBEDDED, is_database_url, is_loopback, is_origin, is_redis_url, is_web_url, without_driver

PLUGIN_MODULES: Final = "plugins.modules"

_ADAPTER: Final = TypeAdapter(Settings)
_OWN_SCHEMA: Final = Schema()
"""Without plugins; made once, as every command loads settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """The settings of botvisor and of its plugins."""

    settings: Settings
    plugins: Mapping[str, object]
    """Settings dataclass of each plugin, by section name."""


def load_settings(file: Path | None, environ: Mapping[str, str], overrides: Sequence[str]) -> Settings:
    """Merge default.toml, the file, the environment and the overrides; later layers take precedence.

    Every layer is validated in full, including values that a later layer replaces. Reads secret files.

    Raises:
        SettingsError: names the source, the key, its value (unless secret) and what is expected.
    """
    return load_all_settings(file, environ, overrides, _OWN_SCHEMA).settings


def load_all_settings(
    file: Path | None, environ: Mapping[str, str], overrides: Sequence[str], schema: Schema
) -> LoadedSettings:
    """Return the settings, including those of the plugins in the schema.

    Raises:
        SettingsError: as `load_settings`.
    """
    default = config_dir() / "default.toml"
    layers = chain(
        file_layer(default, schema),
        file_layer(file, schema) if file else (),
        environment_layer(environ, schema),
        override_layer(overrides, schema),
    )
    values = {entry.setting.name: entry for entry in layers}
    for name in schema.settings:
        if name not in values and name.partition(".")[0] not in schema.plugins:
            raise SettingsError(str(default), f"{name} is missing")
    values = with_secrets(values)
    sections: dict[str, dict[str, object]] = {name: {} for name in schema.sections}
    for name, entry in values.items():
        section, _, key = name.partition(".")
        sections[section][key] = entry.value
    sections["database"]["url"] = without_driver(str(sections["database"]["url"]))
    plugins = {
        name: _plugin_section(name, section_type, sections.pop(name))
        for name, section_type in schema.plugins.items()
    }
    # Cannot fail: each layer was validated.
    settings = _ADAPTER.validate_python(sections)
    for name, expected in _violations(settings):
        raise values[name].error(expected)
    return LoadedSettings(settings=settings, plugins=plugins)


def plugin_modules(
    file: Path | None, environ: Mapping[str, str], overrides: Sequence[str]
) -> tuple[str, ...]:
    """Return ``plugins.modules`` alone. The plugins define further sections, so they are imported first.

    Raises:
        SettingsError: a layer cannot be read, or its value of ``plugins.modules`` is wrong.
    """
    schema = _OWN_SCHEMA
    variable = f"{PREFIX}{PLUGIN_MODULES.replace('.', '__').upper()}"
    layers = chain(
        file_layer(file, schema, only=PLUGIN_MODULES.partition(".")[0]) if file else (),
        environment_layer({variable: environ[variable]} if variable in environ else {}, schema),
        override_layer(
            [override for override in overrides if override.partition("=")[0].strip() == PLUGIN_MODULES],
            schema,
        ),
    )
    modules: tuple[str, ...] = ()
    for entry in layers:
        modules = cast("tuple[str, ...]", entry.value)
    return modules


def _plugin_section(name: str, section_type: type, values: Mapping[str, object]) -> object:
    missing = [
        each.name
        for each in fields(section_type)
        if each.default is MISSING and each.default_factory is MISSING and each.name not in values
    ]
    if missing:
        raise SettingsError(f"[{name}]", f"{name}.{missing[0]} is missing")
    return section_type(**values)


def config_dir() -> Path:
    """Return the folder with default.toml and the portal definitions, in a checkout or an installed wheel."""
    actors = Path(__file__).resolve().parents[1]
    installed = actors / "_config"
    return installed if (installed / "default.toml").is_file() else actors.parent / "config"


def portal_file(portal: str) -> Path:
    """Return the definition file for a value of ``sessions.portal``; it need not exist."""
    if portal.endswith(".toml"):
        return Path(portal)
    return config_dir() / "portals" / f"{portal}.toml"


def _violations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that breaks a rule, and what is expected of it."""
    backoff, web, practice = settings.backoff, settings.web, settings.practice
    if settings.runtime.environment == "production" and practice.enabled:
        yield "practice.enabled", 'false if runtime.environment is "production"'
    if backoff.maximum_seconds < backoff.minimum_seconds:
        yield (
            "backoff.maximum_seconds",
            f"at least backoff.minimum_seconds ({backoff.minimum_seconds})",
        )
    monitor = settings.monitor
    if monitor.stale_after_seconds < monitor.interval_seconds + monitor.timeout_seconds:
        yield (
            "monitor.stale_after_seconds",
            "at least monitor.interval_seconds + monitor.timeout_seconds"
            f" ({monitor.interval_seconds + monitor.timeout_seconds:g})",
        )
    if settings.database.url != EMBEDDED and not is_database_url(settings.database.url):
        yield "database.url", f'"{EMBEDDED}" or a URL such as postgresql://user@host:5432/name'
    if settings.redis.url != EMBEDDED and not is_redis_url(settings.redis.url):
        yield "redis.url", f'"{EMBEDDED}" or a URL such as redis://host:6379/0'
    if settings.sessions.portal_url and not is_web_url(settings.sessions.portal_url):
        yield "sessions.portal_url", "a URL such as https://portal.example"
    if not all(is_origin(origin) for origin in web.allowed_origins):
        yield "web.allowed_origins", "origins such as http://localhost:3000"
    token = web.token.get_secret_value()
    if not token and not is_loopback(web.host):
        yield "web.host", "a loopback address such as 127.0.0.1, or a token in web.token or web.token_file"
    if not all("!" <= character <= "~" for character in token):
        # It is sent in an HTTP header.
        yield "web.token", "visible ASCII characters only"
    if not _is_totp_secret(practice.totp_secret.get_secret_value()):
        yield "practice.totp_secret", "a base32 string of 24, 32 or more characters"
    if practice.enabled and web.port and (web.host, web.port) == (practice.host, practice.port):
        yield "practice.port", "a port other than web.port"


def _is_totp_secret(text: str) -> bool:
    try:
        # The practice portal requires 112 bits; RFC 4226 recommends at least 128.
        return not text or len(base64.b32decode(text)) >= 14
    except (binascii.Error, ValueError):
        return False
