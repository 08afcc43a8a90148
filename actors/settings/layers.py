"""The layers of the configuration, each read into checked values that know where they came from."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, cast

from .errors import SettingsError
from .sections import Settings
from .setting import SETTINGS, Setting, nearest, show

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
"""Names that compose files use for our settings. Where two name the same setting, the later one counts."""

_SECTIONS = tuple(section.name for section in fields(Settings))
_POSITION = re.compile(
    r"(?P<reason>.*) \(at (?:(?P<where>line \d+, column \d+)|end of document)\)", re.DOTALL
)
"""How tomllib ends its messages; only Python 3.14 has the position apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedValue:
    """A value that one layer gives to one setting."""

    setting: Setting
    source: str
    value: object = field(repr=False)

    def refused(self, expected: str) -> SettingsError:
        """Return the error that says why this value cannot stay."""
        return _wrong(self.source, self.setting, self.value, expected)


def file_layer(path: Path) -> Iterator[SourcedValue]:
    """Yield what a TOML file gives.

    Raises:
        SettingsError: it cannot be read, is not TOML, or holds a key or a value that cannot be used.
    """
    source = str(path)
    for section, content in _read_toml(path).items():
        if section not in _SECTIONS:
            if isinstance(content, dict):
                raise _unknown_section(source, section)
            raise _unknown_key(source, section)
        if not isinstance(content, dict):
            # Nobody knows what it was meant for.
            raise SettingsError(source, f"{section} = ***, expected a table [{section}]")
        for key, value in cast("dict[str, object]", content).items():
            setting = _setting(source, f"{section}.{key}")
            try:
                yield SourcedValue(setting=setting, source=source, value=setting.check(value))
            except ValueError as error:
                raise _wrong(source, setting, value, str(error)) from None


def environment_layer(environ: Mapping[str, str]) -> Iterator[SourcedValue]:
    """Yield what the environment gives: first by common names, then by our own, which therefore win.

    Raises:
        SettingsError: a variable names no setting, or its value cannot be used.
    """
    for variable, name in COMMON_NAMES.items():
        # Compose files hand on an unset variable as an empty one.
        if environ.get(variable):
            yield _parsed(variable, SETTINGS[name], environ[variable])
    for variable in sorted(environ):
        if variable.startswith(PREFIX):
            name = ".".join(variable.removeprefix(PREFIX).lower().split("__"))
            yield _parsed(variable, _setting(variable, name), environ[variable])


def override_layer(overrides: Sequence[str]) -> Iterator[SourcedValue]:
    """Yield what ``--set section.key=value`` gives, in order.

    Raises:
        SettingsError: one is not of that form, names no setting, or its value cannot be used.
    """
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals:
            # With no more of it than is surely a name: the rest may be the value.
            known = re.match(r"[\w.]*", name)
            shown = show(known[0]) if known and known[0] in SETTINGS else "***"
            raise SettingsError(OVERRIDE, f"{shown}, expected section.key=value")
        yield _parsed(OVERRIDE, _setting(OVERRIDE, name), text.strip())


def _parsed(source: str, setting: Setting, text: str) -> SourcedValue:
    try:
        return SourcedValue(setting=setting, source=source, value=setting.parse(text))
    except ValueError as error:
        raise _wrong(source, setting, text, str(error)) from None


def _setting(source: str, name: str) -> Setting:
    if name not in SETTINGS:
        raise _unknown_key(source, name)
    return SETTINGS[name]


def _wrong(source: str, setting: Setting, value: object, expected: str) -> SettingsError:
    return SettingsError(source, f"{setting.name} = {setting.shown(value)}, expected {expected}")


def _unknown_key(source: str, name: str) -> SettingsError:
    # Without its value: it may be a secret under a misspelt name.
    near = nearest(name)
    section = name.partition(".")[0]
    known = [key.partition(".")[2] for key in SETTINGS if key.startswith(f"{section}.")]
    if near:
        hint = f"did you mean {near}?"
    elif known:
        hint = f"[{section}] knows {', '.join(known)}"
    else:
        hint = f"the sections are {', '.join(_SECTIONS)}"
    return SettingsError(source, f"unknown key {_plain(name)}; {hint}")


def _unknown_section(source: str, section: str) -> SettingsError:
    near = difflib.get_close_matches(section, _SECTIONS, n=1)
    hint = f"did you mean [{near[0]}]?" if near else f"the sections are {', '.join(_SECTIONS)}"
    return SettingsError(source, f"unknown section [{_plain(section)}]; {hint}")


def _plain(name: str) -> str:
    """Return a name as it is, or quoted where its characters could break the line."""
    return name if re.fullmatch(r"[\w.-]+", name) else json.dumps(name, ensure_ascii=False)


def _read_toml(path: Path) -> Mapping[str, object]:
    try:
        # A file from Windows may begin with a byte order mark, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), f"is not UTF-8 text: byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.fullmatch(str(error))
        where = (position and position["where"]) or "at its end"
        reason = position["reason"] if position else str(error)
        raise SettingsError(str(path), f"{where}: not TOML: {reason}") from None
