"""Reads the layers of the configuration (files, environment, --set) into validated values."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from .setting import Schema, Setting, SettingsError, show

PREFIX = "BOTVISOR__"
OVERRIDE = "--set"

COMMON_NAMES: Final[Mapping[str, str]] = {
    "DATABASE_URL": "database.url",
    "REDIS_URL": "redis.url",
    "ENVIRONMENT": "runtime.environment",
    "API_HOST": "web.host",
    "API_GATEWAY_PORT": "web.port",
    "API_PORT": "web.port",
}
"""Common environment variables for our settings. If two set the same setting, the later one here wins."""

_POSITION = re.compile(
    r"(?P<reason>.*) \(at (?:(?P<where>line \d+, column \d+)|end of document)\)", re.DOTALL
)
"""Splits tomllib's messages; before Python 3.14 they are the only source of the position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedValue:
    """The value of one setting in one layer."""

    setting: Setting
    source: str
    value: object = field(repr=False)

    def error(self, expected: str) -> SettingsError:
        """Return the error that rejects this value."""
        return _invalid(self.source, self.setting, self.value, expected)


def file_layer(path: Path, schema: Schema, *, only: str | None = None) -> Iterator[SourcedValue]:
    """Yield the values of a TOML file, or of its section ``only``.

    Raises:
        SettingsError: it cannot be read, is invalid TOML, or has an unknown key or an invalid value.
    """
    source = str(path)
    for section, content in _read_toml(path).items():
        if only not in (None, section):
            continue
        if section not in schema.sections:
            if isinstance(content, dict):
                raise _unknown_section(source, section, schema)
            raise _unknown_key(source, section, schema)
        if not isinstance(content, dict):
            # It may be a secret under a wrong name, so its value is not shown.
            raise SettingsError(source, f"{section} = ***, expected a table [{section}]")
        for key, value in cast("dict[str, object]", content).items():
            setting = _setting(source, f"{section}.{key}", schema)
            try:
                yield SourcedValue(setting=setting, source=source, value=setting.check(value))
            except ValueError as error:
                raise _invalid(source, setting, value, str(error)) from None


def environment_layer(environ: Mapping[str, str], schema: Schema) -> Iterator[SourcedValue]:
    """Yield the values of the environment: common names first, then our own, which take precedence.

    Raises:
        SettingsError: a variable names an unknown setting, or its value is invalid.
    """
    for variable, name in COMMON_NAMES.items():
        # Compose files pass an unset variable as an empty one.
        if environ.get(variable):
            yield _parsed(variable, schema.settings[name], environ[variable])
    for variable in sorted(environ):
        if variable.startswith(PREFIX):
            name = ".".join(variable.removeprefix(PREFIX).lower().split("__"))
            yield _parsed(variable, _setting(variable, name, schema), environ[variable])


def override_layer(overrides: Sequence[str], schema: Schema) -> Iterator[SourcedValue]:
    """Yield the values of ``--set section.key=value``, in order.

    Raises:
        SettingsError: an override is malformed, names an unknown setting, or has an invalid value.
    """
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals:
            # Shows only what is a known name: the rest may be a secret value.
            known = re.match(r"[\w.]*", name)
            shown = show(known[0]) if known and known[0] in schema.settings else "***"
            raise SettingsError(OVERRIDE, f"{shown}, expected section.key=value")
        yield _parsed(OVERRIDE, _setting(OVERRIDE, name, schema), text.strip())


def _parsed(source: str, setting: Setting, text: str) -> SourcedValue:
    try:
        return SourcedValue(setting=setting, source=source, value=setting.parse(text))
    except ValueError as error:
        raise _invalid(source, setting, text, str(error)) from None


def _setting(source: str, name: str, schema: Schema) -> Setting:
    if name not in schema.settings:
        raise _unknown_key(source, name, schema)
    return schema.settings[name]


def _invalid(source: str, setting: Setting, value: object, expected: str) -> SettingsError:
    return SettingsError(source, f"{setting.name} = {setting.shown(value)}, expected {expected}")


def _unknown_key(source: str, name: str, schema: Schema) -> SettingsError:
    # The value is not shown: it may be a secret under a misspelt name.
    near = schema.nearest(name)
    section = name.partition(".")[0]
    known = [key.partition(".")[2] for key in schema.settings if key.startswith(f"{section}.")]
    if near:
        hint = f"did you mean {near}?"
    elif known:
        hint = f"valid keys of [{section}]: {', '.join(known)}"
    else:
        hint = f"valid sections: {', '.join(schema.sections)}"
    return SettingsError(source, f"unknown key {_plain(name)}; {hint}")


def _unknown_section(source: str, section: str, schema: Schema) -> SettingsError:
    near = difflib.get_close_matches(section, schema.sections, n=1)
    hint = f"did you mean [{near[0]}]?" if near else f"valid sections: {', '.join(schema.sections)}"
    return SettingsError(source, f"unknown section [{_plain(section)}]; {hint}")


def _plain(name: str) -> str:
    """Return a name, quoted if it has characters that could break the line."""
    return name if re.fullmatch(r"[\w.-]+", name) else json.dumps(name, ensure_ascii=False)


def _read_toml(path: Path) -> Mapping[str, object]:
    try:
        # Files from Windows may begin with a byte order mark, which TOML does not allow.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), f"not UTF-8 text: invalid byte at offset {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.fullmatch(str(error))
        where = (position and position["where"]) or "end of file"
        reason = position["reason"] if position else str(error)
        raise SettingsError(str(path), f"{where}: invalid TOML: {reason}") from None
