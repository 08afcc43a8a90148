"""`botvisor up`: runs the application in the foreground."""

from __future__ import annotations

import signal

import typer

from ..options import CommandContext, common_options
from ..render.output import version


@common_options(json=False)
def up(context: CommandContext) -> None:
    """Run botvisor in the foreground until Ctrl-C or SIGTERM."""
    configuration = context.configuration()
    # Blocked until the application handles them, so that a signal after the next line stops it cleanly.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    web = configuration.settings.web
    # On standard error, like the log; with port 0 the log names the port.
    address = f", listening at http://{web.host}:{web.port}" if web.port else ""
    typer.echo(f"botvisor {version()}: data in {configuration.data_dir}{address}; Ctrl-C stops it", err=True)

    # Imported late: other commands do not need the application, and an invalid setting is reported sooner.
    from ...main import run

    raise typer.Exit(run(configuration.settings, configuration.data_dir, plugins=configuration.plugins))
