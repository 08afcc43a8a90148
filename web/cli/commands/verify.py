"""`botvisor verify`: what must always hold, looked for on the live record and in the mirror."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from actors.database.errors import DatabaseFault
from actors.database.maintenance.verify import InvariantResult, verify_journal, verify_record
from actors.services import DataDirUnusable, Instance, read_instance
from actors.settings import EMBEDDED

from ..client.instance import Endpoint, fetch
from ..errors import CommandFailed, NotRunning
from ..options import ConfigOption, Configuration, DataDirOption, JsonOption, SetOption, configuration
from ..render.output import plain, show, show_json

JOURNAL = "journal"
"""In the data directory; there is one after the first start."""
MIRROR_PATH = "/api/mirror/status"
MIRRORED = "Redis shows what is on record"
MOST_OF_A_KEY = 20
"""Differences of one key of the mirror that are told; how many more there are is told as well."""
LOOKS = 5
"""At the mirror, until a difference counts."""
PAUSE = 0.5
"""Seconds between two looks: several times what the mirror takes to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorAnswer:
    """What we need of the answer of `MIRROR_PATH`."""

    differences: tuple[str, ...]
    more_differences: int = 0


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
        told = [{"name": check.name, "broken": list(check.broken), "more": check.more} for check in checks]
        show_json({"ok": ok, "checks": told})
    else:
        show(_table(checks))
    if not ok:
        raise typer.Exit(1)


def _checks(chosen: Configuration) -> Iterator[InvariantResult]:
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
    except DatabaseFault as error:
        raise CommandFailed(plain(str(error))) from None
    journal = chosen.data_dir / JOURNAL
    if journal.is_dir():
        yield verify_journal(journal)
    if instance is not None:
        yield _mirror(chosen, instance)


def _mirror(chosen: Configuration, instance: Instance) -> InvariantResult:
    """What the mirror finds at every look; that it cannot tell is a break of its own.

    The mirror follows the record by a moment, so what differs once, while work
    goes on, says nothing.
    """
    token = chosen.settings.web.token.get_secret_value()
    endpoint = Endpoint(url=instance.web_url.rstrip("/"), token=token, instance=instance)
    lasting: dict[str, str] | None = None
    more = 0
    for look in range(LOOKS):
        time.sleep(PAUSE if look else 0.0)
        try:
            found = _MIRROR.validate_python(fetch(endpoint, MIRROR_PATH))
        except (CommandFailed, ValidationError) as error:
            return InvariantResult(name=MIRRORED, broken=(f"the mirror does not tell: {plain(str(error))}",))
        now = {place_of(sentence): sentence for sentence in found.differences}
        lasting = {place: now[place] for place in now if lasting is None or place in lasting}
        if not lasting:
            return InvariantResult(name=MIRRORED, broken=())
        more = found.more_differences
    return InvariantResult(name=MIRRORED, broken=told_by_key((lasting or {}).values()), more=more)


def place_of(difference: str) -> str:
    """What makes a difference the same one at the next look: all but its values, which go on meanwhile."""
    if ", the record " not in difference:
        return difference
    # Its key, a verb, and a field or a member.
    return " ".join(difference.split(" ")[:3])


def told_by_key(differences: Iterable[str]) -> tuple[str, ...]:
    """The first `MOST_OF_A_KEY` of each key, and how many more of them there are."""
    told: list[str] = []
    found = Counter[str]()
    for difference in differences:
        key = difference.partition(" ")[0]
        found[key] += 1
        if found[key] <= MOST_OF_A_KEY:
            told.append(difference)
    surplus = {key: number - MOST_OF_A_KEY for key, number in found.items()}
    told += [f"{key} differs in {number} more places" for key, number in surplus.items() if number > 0]
    return tuple(told)


def _table(checks: tuple[InvariantResult, ...]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(Text("broken", "bold red") if check.broken else Text("ok", "green"), Text(check.name))
        for sentence in check.broken:
            table.add_row("", Text(plain(sentence)))
        if check.more:
            table.add_row("", Text(f"and {check.more} more"))
    return table
