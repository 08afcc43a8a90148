"""Commands of plugins: found before the command line is parsed, as they are part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from actors.settings import SettingsError, plugin_modules


def plugin_commands(arguments: Sequence[str]) -> Iterator[typer.Typer]:
    """Yield the command groups of the plugins that these arguments and the environment configure.

    A wrong configuration yields none: the command reports it.
    """
    config, overrides = _configuration_options(arguments)
    try:
        if not plugin_modules(config, os.environ, overrides):
            return
        # Imported late: they load every driver and the web framework.
        from actors.plugins import load_configuration

        from ..capabilities import web_capability_of

        for plugin in load_configuration(config, os.environ, overrides).plugins:
            web = web_capability_of(plugin.module)
            if web is not None and web.commands is not None:
                yield web.commands
    except SettingsError:
        return


def _configuration_options(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    config: Path | None = None
    overrides: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = argument.partition("=")
        value = value if equals else following
        if name in ("--config", "-c"):
            config = Path(value)
        elif name == "--set":
            overrides.append(value)
    return config, overrides
