"""What the reaper does to the record. Blocks; belongs on a worker thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from uuid import UUID

from ..records.connection import Link, is_conflict
from . import sql
from .ids import first_id_at
from .sql import fetch
from .store import Policy, Store


def in_transaction(
    link: Link, work: Callable[[Store], int], policy: Policy, random: Random
) -> tuple[int, list[object]]:
    """How many tasks it touched, and the events to publish now that it is committed."""
    events: list[object] = []
    try:
        with link.transaction():
            return work(Store(link, policy, random, events.append)), events
    except Link.Error as error:
        if not is_conflict(error):
            raise
        return 0, []  # somebody was in the way; the next look comes soon


def next_due(link: Link) -> float | None:
    """Seconds until the first delayed task is due; None where there is none."""
    ((seconds,),) = fetch(link, sql.NEXT_DUE)
    return None if seconds is None else float(seconds)


def older_than(hours: float) -> Callable[[Link], UUID | None]:
    """Finds the id before which all finished tasks are too old."""
    return lambda _: first_id_at(max(0, round((time.time() - hours * 3600) * 1000)))


def beyond(keep: int) -> Callable[[Link], UUID | None]:
    """Finds the id before which there are more finished tasks than are kept."""

    def find(link: Link) -> UUID | None:
        found = fetch(link, sql.SURPLUS, {"keep": keep})
        # That one is the first too many; what is to go lies before the next id.
        return UUID(int=found[0][0].int + 1) if found else None

    return find


def forget(link: Link, before: UUID, limit: int) -> int:
    """Delete finished tasks with lower ids; returns how many."""
    with link.cursor() as cursor:
        cursor.execute(sql.FORGET, {"before": before, "limit": limit})
        return cursor.rowcount


def relabel(link: Link, lease_seconds: float) -> None:
    """Mend what races leave behind: lanes of groups that were limited meanwhile, workers long gone."""
    fetch(link, sql.RELABEL)
    fetch(link, sql.FORGET_WORKERS, {"seconds": max(3600.0, 10 * lease_seconds)})
