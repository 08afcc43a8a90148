"""The command line: `botvisor up | check | tree | status | watch | sessions | tasks | portal | verify`.

Exit codes: 0 done, 1 it did not work, 2 the configuration or the command is wrong. What went wrong is one
sentence on standard error. What was asked for is on standard output, and nothing else.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, NoReturn, cast

import typer

from actors.settings import SettingsError

from ..logs import configure_logs
from .commands.check import check
from .commands.portal import portal
from .commands.sessions import sessions
from .commands.status import status
from .commands.tasks import tasks
from .commands.tree import tree
from .commands.up import up
from .commands.verify import verify
from .commands.watch import watch
from .errors import CommandFailed
from .plugins import plugin_commands
from .render.output import version

__all__ = ["app", "main"]

app = typer.Typer(
    name="botvisor",
    help="Keeps a fleet of bots alive.",
    no_args_is_help=True,
    add_completion=False,
    # Ours are sentences; and its frames of local variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (up, check, tree, status, watch, verify):
    app.command()(command)
app.add_typer(sessions)
app.add_typer(tasks)
app.add_typer(portal)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"botvisor {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command of this process's arguments and exit with its code."""
    # A terminal that cannot show a character gets a "?" for it, not a traceback.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="replace")
    # What parts log that a command works with goes to standard error; `up` sets its own level.
    configure_logs("warning")
    for group in plugin_commands(sys.argv[1:]):
        app.add_typer(group)
    try:
        app(prog_name="botvisor")
    except SettingsError as error:
        _fail(error, 2)
    except CommandFailed as error:
        _fail(error, 1)
    sys.exit(0)


def _fail(error: Exception, code: int) -> NoReturn:
    typer.echo(f"botvisor: {error}", err=True)
    sys.exit(code)
