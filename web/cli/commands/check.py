"""`botvisor check`: tests the configuration and every connection."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.settings import SettingsError

from ..client.connection_checks import CheckState, ConnectionCheck, run_checks
from ..options import CommandContext, common_options
from ..render.output import STATE_STYLES, show, show_json


@common_options()
def check(context: CommandContext) -> None:
    """Test the configuration and every connection; exit code 1 if one fails."""
    try:
        configuration = context.configuration()
    except SettingsError as error:
        if context.as_json:
            _show_json([ConnectionCheck(name="configuration", state=CheckState.FAILED, detail=str(error))])
        raise
    if sys.stderr.isatty():
        with Console(stderr=True).status("checking connections"):
            checks = list(run_checks(configuration))
    else:
        checks = list(run_checks(configuration))
    if context.as_json:
        _show_json(checks)
    else:
        show(_table(checks))
    if not _passed(checks):
        raise typer.Exit(1)


def _passed(checks: Sequence[ConnectionCheck]) -> bool:
    return all(check.state is not CheckState.FAILED for check in checks)


def _show_json(checks: Sequence[ConnectionCheck]) -> None:
    data = [{"name": check.name, "state": check.state, "detail": check.detail} for check in checks]
    show_json({"ok": _passed(checks), "checks": data})


def _table(checks: Sequence[ConnectionCheck]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(check.name, Text(check.state, STATE_STYLES[check.state]), Text(check.detail))
    return table
