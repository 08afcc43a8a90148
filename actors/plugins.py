"""Loads the capabilities of a user's own packages: ``[plugins] modules = ["my_company.bots"]``.

Each module names one capability as ``CAPABILITY`` and, where it has a front
end, its other half as ``WEB``. Its section of the configuration has the
capability's name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .capability import Capability
from .settings import Schema, Settings, SettingsError, load_all_settings, plugin_modules

SOURCE: Final = "plugins.modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A module of the user's own, imported."""

    module: ModuleType
    capability: Capability[Any, Any]
    settings: object = None
    """Its section of the configuration; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfiguration:
    """Everything that the configuration says, with the code that it names."""

    settings: Settings
    plugins: tuple[Plugin, ...]


def load_configuration(
    file: Path | None, environ: Mapping[str, str], overrides: Sequence[str]
) -> LoadedConfiguration:
    """Import the plugins, then load all settings, theirs included.

    Raises:
        SettingsError: the settings are wrong, or a module cannot be imported or names no capability.
    """
    modules = [_imported(name) for name in plugin_modules(file, environ, overrides)]
    capabilities = [_capability_of(module) for module in modules]
    try:
        schema = Schema({each.name: each.settings for each in capabilities if each.settings is not None})
    except ValueError as error:
        raise SettingsError(SOURCE, str(error)) from None
    loaded = load_all_settings(file, environ, overrides, schema)
    return LoadedConfiguration(
        settings=loaded.settings,
        plugins=tuple(
            Plugin(module=module, capability=capability, settings=loaded.plugins.get(capability.name))
            for module, capability in zip(modules, capabilities, strict=True)
        ),
    )


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the module's own code raises
        raise SettingsError(SOURCE, f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _capability_of(module: ModuleType) -> Capability[Any, Any]:
    capability: object = getattr(module, "CAPABILITY", None)
    if not isinstance(capability, Capability):
        raise SettingsError(
            SOURCE, f"{module.__name__} has no CAPABILITY, expected an actors.capability.Capability"
        )
    return capability  # pyright: ignore[reportUnknownVariableType]
