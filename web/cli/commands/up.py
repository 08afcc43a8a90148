"""`botvisor up`: the composition root; the only command that starts anything."""

from __future__ import annotations

import signal

import typer

from ..options import ConfigOption, DataDirOption, SetOption, configuration
from ..render.output import version


def up(config: ConfigOption = None, overrides: SetOption = None, data_dir: DataDirOption = None) -> None:
    """Run everything in the foreground until Ctrl-C or SIGTERM."""
    chosen = configuration(config, overrides, data_dir)
    # Held back until the house takes them: what is said next is true at once.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    web = chosen.settings.web
    # Standard error, where the log goes too; the log says the port that was found where it is 0.
    address = f", to answer at http://{web.host}:{web.port}" if web.port else ""
    typer.echo(f"botvisor {version()}: data in {chosen.data_dir}{address}; Ctrl-C stops it", err=True)

    # Imported last: the other commands need nothing of the house, and a wrong setting is told at once.
    from ...main import run

    raise typer.Exit(run(chosen.settings, chosen.data_dir))
