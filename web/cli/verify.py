"""`botvisor verify`: what must always hold, looked for on the live record and in the mirror."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from actors.records.errors import RecordFault
from actors.records.verify import Invariant, verify_journal, verify_record
from actors.services import DataDirUnusable, Instance, read_instance
from actors.settings import EMBEDDED

from .errors import CommandFailed, NotRunning
from .instance import Endpoint, fetch
from .options import ConfigOption, Configuration, DataDirOption, JsonOption, SetOption, configuration
from .output import plain, show, show_json

JOURNAL = "journal"
"""In the data directory; there is one after the first start."""
MIRROR_PATH = "/api/mirror/status"
LOOKS = 5
"""At the mirror, until a difference counts."""
PAUSE = 0.5
"""Seconds between two looks: several times what the mirror takes to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorAnswer:
    """What we need of the answer of `MIRROR_PATH`."""

    differences: tuple[str, ...]


_MIRROR = TypeAdapter(MirrorAnswer)


def verify(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the invariants on the live database; fails when something breaks one."""
    checks = tuple(_checks(configuration(config, overrides, data_dir)))
    ok = not any(check.broken for check in checks)
    if as_json:
        show_json(
            {"ok": ok, "checks": [{"name": check.name, "broken": list(check.broken)} for check in checks]}
        )
    else:
        show(_table(checks))
    if not ok:
        raise typer.Exit(1)


def _checks(chosen: Configuration) -> Iterator[Invariant]:
    settings = chosen.settings
    try:
        instance = read_instance(chosen.data_dir)
    except DataDirUnusable as error:
        raise CommandFailed(str(error)) from None
    dsn = settings.database.url
    if dsn == EMBEDDED:
        if instance is None:
            raise NotRunning("the embedded PostgreSQL runs only while `botvisor up` does")
        dsn = instance.database
    try:
        yield from verify_record(settings.database, dsn)
    except RecordFault as error:
        raise CommandFailed(plain(str(error))) from None
    journal = chosen.data_dir / JOURNAL
    if journal.is_dir():
        yield verify_journal(journal)
    if instance is not None:
        yield Invariant(name="Redis shows what is on record", broken=_differences(chosen, instance))


def _differences(chosen: Configuration, instance: Instance) -> tuple[str, ...]:
    """What the mirror finds at every look; that it cannot tell is a break of its own.

    The mirror follows the record by a moment, so a key that differs once, while
    work goes on, says nothing.
    """
    token = chosen.settings.web.token.get_secret_value()
    endpoint = Endpoint(url=instance.web_url.rstrip("/"), token=token, instance=instance)
    lasting: dict[str, str] | None = None
    for look in range(LOOKS):
        time.sleep(PAUSE if look else 0.0)
        try:
            found = _MIRROR.validate_python(fetch(endpoint, MIRROR_PATH)).differences
        except (CommandFailed, ValidationError) as error:
            return (f"the mirror does not tell: {plain(str(error))}",)
        # A sentence begins with its key, and may go on differently each time.
        now = {sentence.partition(" ")[0]: sentence for sentence in found}
        lasting = {key: now[key] for key in now if lasting is None or key in lasting}
        if not lasting:
            return ()
    return tuple((lasting or {}).values())


def _table(checks: tuple[Invariant, ...]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(Text("broken", "bold red") if check.broken else Text("ok", "green"), Text(check.name))
        for sentence in check.broken:
            table.add_row("", Text(plain(sentence)))
    return table
