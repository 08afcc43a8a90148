"""`botvisor check`: the configuration and every connection, tried out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.settings import SettingsError

from ..client.connection_checks import ConnectionFinding, State, findings
from ..options import ConfigOption, DataDirOption, JsonOption, SetOption, configuration
from ..render.output import STATE_STYLES, show, show_json


def check(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try out the configuration and every connection; fails when one of them does."""
    try:
        chosen = configuration(config, overrides, data_dir)
    except SettingsError as error:
        if as_json:
            _show_json([ConnectionFinding(name="configuration", state=State.FAILED, detail=str(error))])
        raise
    if sys.stderr.isatty():
        with Console(stderr=True).status("trying every connection"):
            found = list(findings(chosen))
    else:
        found = list(findings(chosen))
    if as_json:
        _show_json(found)
    else:
        show(_table(found))
    if not _passed(found):
        raise typer.Exit(1)


def _passed(found: Sequence[ConnectionFinding]) -> bool:
    return all(finding.state is not State.FAILED for finding in found)


def _show_json(found: Sequence[ConnectionFinding]) -> None:
    checks = [{"name": one.name, "state": one.state, "detail": one.detail} for one in found]
    show_json({"ok": _passed(found), "checks": checks})


def _table(found: Sequence[ConnectionFinding]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    for finding in found:
        table.add_row(finding.name, Text(finding.state, STATE_STYLES[finding.state]), Text(finding.detail))
    return table
