"""Puts the layers of the configuration on top of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from pydantic import TypeAdapter

from .errors import SettingsError
from .layers import SourcedValue, environment_layer, file_layer, override_layer
from .paths import config_dir
from .rules import broken_rules
from .secret_files import with_secrets
from .sections import Settings
from .setting import SETTINGS
from .urls import without_driver

_ADAPTER = TypeAdapter(Settings)


def load_settings(file: Path | None, environ: Mapping[str, str], overrides: Sequence[str]) -> Settings:
    """Return the settings: default.toml, then the file, the environment and the overrides, each on the last.

    Every layer is checked in full, also where a later one replaces a value. Files with secrets are read here.

    Raises:
        SettingsError: one line that names the source, the key, its value (no secret) and what was expected.
    """
    default = config_dir() / "default.toml"
    layers = chain(
        file_layer(default),
        file_layer(file) if file else (),
        environment_layer(environ),
        override_layer(overrides),
    )
    given = {entry.setting.name: entry for entry in layers}
    for name in SETTINGS:
        if name not in given:
            raise SettingsError(str(default), f"{name} is missing")
    given = with_secrets(given)
    settings = _assembled(given)
    for name, expected in broken_rules(settings):
        raise given[name].refused(expected)
    return settings


def _assembled(given: Mapping[str, SourcedValue]) -> Settings:
    sections: dict[str, dict[str, object]] = {}
    for name, entry in given.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = entry.value
    sections["database"]["url"] = without_driver(str(sections["database"]["url"]))
    # Cannot fail: each value was checked as it came.
    return _ADAPTER.validate_python(sections)
