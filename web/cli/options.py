"""The options that every command takes, declared once.

::

    @tasks.command()
    @common_options(url=True)
    def stats(context: CommandContext) -> None:
        \"\"\"Print task counts, limits and workers.\"\"\"
        endpoint = find_endpoint(context)

The command receives them as one `CommandContext`; `--help` lists them after the command's own options.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, Final, ParamSpec, get_type_hints

import typer

from actors.services import default_path
from actors.settings import Settings, SettingsError, load_settings, plugin_modules

if TYPE_CHECKING:
    from actors.plugins import Plugin

P = ParamSpec("P")


def _check_url(value: str | None) -> str | None:
    # Every error sentence repeats the URL, so it must not contain a password.
    if value is not None and (not value.startswith(("http://", "https://")) or "@" in value):
        raise typer.BadParameter("expected a URL such as http://127.0.0.1:8000")
    return value


CONFIG: Final = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="TOML file with settings.")
]
SETTINGS: Final = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; may be repeated."),
]
DATA_DIR: Final = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="The data directory.")
]
URL: Final = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", callback=_check_url, help="URL of the instance, if it is on another machine."
    ),
]
JSON: Final = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Settings and data directory, resolved from options, environment and files."""

    settings: Settings
    data_dir: Path
    plugins: tuple[Plugin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """The common options of one run of a command."""

    config: Path | None
    overrides: list[str] | None
    data_dir: Path | None
    url: str | None = None
    as_json: bool = False

    def configuration(self) -> Configuration:
        """Load the configuration.

        Raises:
            SettingsError: it is invalid.
        """
        overrides = self.overrides or []
        plugins: tuple[Plugin, ...] = ()
        if plugin_modules(self.config, os.environ, overrides):
            # Imported late: it loads every driver.
            from actors.plugins import load_configuration

            loaded = load_configuration(self.config, os.environ, overrides)
            settings, plugins = loaded.settings, loaded.plugins
        else:
            settings = load_settings(self.config, os.environ, overrides)
        configured = settings.runtime.data_dir
        try:
            data_dir = self.data_dir or (Path(configured) if configured else default_path())
            data_dir = data_dir.expanduser().absolute()
        except RuntimeError as error:
            # A "~" without a home directory.
            raise SettingsError("runtime.data_dir", f"cannot be found: {error}") from None
        return Configuration(settings=settings, data_dir=data_dir, plugins=plugins)


def common_options(
    *, url: bool = False, json: bool = True
) -> Callable[[Callable[Concatenate[CommandContext, P], None]], Callable[P, None]]:
    """Give a command `--config`, `--set` and `--data-dir`, and optionally `--url` and `--json`.

    Typer reads a command's options from its signature: the wrapper's has those of the
    command without its context, followed by the common ones.
    """
    common = {"config": CONFIG, "overrides": SETTINGS, "data_dir": DATA_DIR}
    common |= {"url": URL} if url else {}
    common |= {"as_json": JSON} if json else {}
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name == "as_json" else None,
            annotation=annotation,
        )
        for name, annotation in common.items()
    ]

    def decorate(command: Callable[Concatenate[CommandContext, P], None]) -> Callable[P, None]:
        hints = get_type_hints(command, include_extras=True)
        _, *own = inspect.signature(command).parameters.values()
        own = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]

        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            context = CommandContext(**{name: kwargs.pop(name) for name in common})  # type: ignore[arg-type]
            command(context, *args, **kwargs)

        del run.__wrapped__  # its signature would take precedence
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
        run.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        return run

    return decorate
