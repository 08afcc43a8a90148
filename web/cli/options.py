"""The options that commands share, and the configuration that they amount to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from actors.services import default_path
from actors.settings import Settings, SettingsError, load_settings


def _web_address(value: str | None) -> str | None:
    # One with a password in it would be told in every sentence about it.
    if value is not None and (not value.startswith(("http://", "https://")) or "@" in value):
        raise typer.BadParameter("expected an address such as http://127.0.0.1:8000")
    return value


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="TOML file with what differs from the defaults."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; may be given more than once."),
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Where everything durable lives.")
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", callback=_web_address, help="Address of the instance, if not of this machine."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the options, the environment and the files amount to."""

    settings: Settings
    data_dir: Path


def configuration(config: Path | None, overrides: list[str] | None, data_dir: Path | None) -> Configuration:
    """Return the settings and the data directory that these options mean.

    Raises:
        SettingsError: the configuration cannot be used.
    """
    settings = load_settings(config, os.environ, overrides or [])
    configured = settings.runtime.data_dir
    try:
        directory = data_dir or (Path(configured) if configured else default_path())
        directory = directory.expanduser().absolute()
    except RuntimeError as error:
        # A "~" for which the system knows no home directory.
        raise SettingsError("runtime.data_dir", f"cannot be found: {error}") from None
    return Configuration(settings=settings, data_dir=directory)
