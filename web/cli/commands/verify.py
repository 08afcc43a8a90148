"""`botvisor verify`: checks the invariants of the live database, the journal and the mirror."""

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
from actors.database.maintenance.verify import InvariantResult, verify_database, verify_journal
from actors.services import DataDirUnusable, Instance, read_instance
from actors.settings import EMBEDDED

from ..client.instance import Endpoint, fetch
from ..errors import CommandFailed, NotRunning
from ..options import CommandContext, Configuration, common_options
from ..render.output import plain, show, show_json

JOURNAL = "journal"
"""Folder in the data directory, created by the first start."""
MIRROR_PATH = "/api/mirror/status"
MIRROR_INVARIANT = "Redis matches the database"
MAX_PER_KEY = 20
"""Differences printed for one key; the rest are counted."""
CHECKS = 5
"""Consecutive mirror checks in which a difference must appear to count."""
CHECK_INTERVAL = 0.5
"""Seconds between two mirror checks, several times the mirror's usual lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorJson:
    """The part of the response of `MIRROR_PATH` that is used here."""

    differences: tuple[str, ...]
    more_differences: int = 0


_MIRROR = TypeAdapter(MirrorJson)


@common_options()
def verify(context: CommandContext) -> None:
    """Check the invariants of the live database and its mirror; exit code 1 if one is broken."""
    checks = tuple(_checks(context.configuration()))
    ok = not any(check.broken for check in checks)
    if context.as_json:
        data = [{"name": check.name, "broken": list(check.broken), "more": check.more} for check in checks]
        show_json({"ok": ok, "checks": data})
    else:
        show(_table(checks))
    if not ok:
        raise typer.Exit(1)


def _checks(configuration: Configuration) -> Iterator[InvariantResult]:
    settings = configuration.settings
    try:
        instance = read_instance(configuration.data_dir)
    except DataDirUnusable as error:
        raise CommandFailed(str(error)) from None
    dsn = settings.database.url
    if dsn == EMBEDDED:
        if instance is None:
            raise NotRunning("the embedded PostgreSQL runs only while `botvisor up` runs")
        dsn = instance.database
    try:
        invariants = [each for plugin in configuration.plugins for each in plugin.capability.invariants]
        yield from verify_database(settings.database, dsn, invariants)
    except DatabaseFault as error:
        raise CommandFailed(plain(str(error))) from None
    journal = configuration.data_dir / JOURNAL
    if journal.is_dir():
        yield verify_journal(journal)
    if instance is not None:
        yield _mirror(configuration, instance)


def _mirror(configuration: Configuration, instance: Instance) -> InvariantResult:
    """Check the mirror; it is broken if its status is unavailable or a difference persists.

    The mirror lags the database a little, so only a difference that every check finds counts.
    """
    token = configuration.settings.web.token.get_secret_value()
    endpoint = Endpoint(url=instance.web_url.rstrip("/"), token=token, instance=instance)
    persistent: dict[str, str] | None = None
    more = 0
    for check in range(CHECKS):
        time.sleep(CHECK_INTERVAL if check else 0.0)
        try:
            found = _MIRROR.validate_python(fetch(endpoint, MIRROR_PATH))
        except (CommandFailed, ValidationError) as error:
            return InvariantResult(
                name=MIRROR_INVARIANT, broken=(f"mirror status unavailable: {plain(str(error))}",)
            )
        current = {difference_key(sentence): sentence for sentence in found.differences}
        persistent = {key: current[key] for key in current if persistent is None or key in persistent}
        if not persistent:
            return InvariantResult(name=MIRROR_INVARIANT, broken=())
        more = found.more_differences
    return InvariantResult(
        name=MIRROR_INVARIANT, broken=limit_per_key((persistent or {}).values()), more=more
    )


def difference_key(difference: str) -> str:
    """The part of a difference that stays the same between checks: everything but its values."""
    if ", the " not in difference:
        return difference
    # The Redis key, a verb, and the field or member.
    return " ".join(difference.split(" ")[:3])


def limit_per_key(differences: Iterable[str]) -> tuple[str, ...]:
    """The first `MAX_PER_KEY` differences of each Redis key, and how many more there are."""
    shown: list[str] = []
    counts = Counter[str]()
    for difference in differences:
        key = difference.partition(" ")[0]
        counts[key] += 1
        if counts[key] <= MAX_PER_KEY:
            shown.append(difference)
    surplus = {key: count - MAX_PER_KEY for key, count in counts.items()}
    shown += [f"{key} differs in {count} more places" for key, count in surplus.items() if count > 0]
    return tuple(shown)


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
