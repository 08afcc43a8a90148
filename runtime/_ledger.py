"""The restart ledger: each failure with its cause, the delay and the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count

import trio

from ._errors import describe
from ._exit import Cause, Exit, LifecycleEvent, traceback_hash


class Outcome(StrEnum):
    """The outcome of a failure."""

    WAITING = "waiting"
    """The child waits for its restart."""
    RESTARTED = "restarted"
    """The child is ready again."""
    FAILED_AGAIN = "failed again"
    """The restart failed; that has an entry of its own."""
    STOPPED = "stopped"
    """The child was stopped before its restart."""
    NOT_RESTARTED = "not restarted"
    """Its restart type says so."""
    GAVE_UP = "gave up"
    """Its supervisor's intensity was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartEntry:
    """One failure of one child."""

    number: int
    path: str
    at: float
    """On trio's clock."""
    time: datetime
    cause: Cause
    error: str
    traceback_hash: str
    """The same for failures from the same place in the code."""
    message: str | None
    """The type of the message that was being handled."""
    delay: float | None
    """Seconds until the restart; None when there is none."""
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRecorded(LifecycleEvent):
    """An entry was added to the ledger, or its outcome became known."""

    entry: RestartEntry


class Ledger:
    """The last failures of a tree, oldest first."""

    def __init__(self, publish: Callable[[object], None], *, capacity: int = 500) -> None:
        self._publish = publish
        self._capacity = capacity
        self._numbers = count(1)
        self._entries: dict[int, RestartEntry] = {}

    def entries(self) -> tuple[RestartEntry, ...]:
        """All entries that are kept, oldest first."""
        return tuple(self._entries.values())

    def append(
        self, path: str, reason: Exit, *, message: str | None, delay: float | None, outcome: Outcome
    ) -> int:
        """Add a failure; returns its number for :meth:`resolve`."""
        number = next(self._numbers)
        entry = RestartEntry(
            number=number,
            path=path,
            at=trio.current_time(),
            time=datetime.now(UTC),
            cause=reason.cause,
            error="" if reason.error is None else describe(reason.error),
            traceback_hash="" if reason.error is None else traceback_hash(reason.error),
            message=message,
            delay=delay,
            outcome=outcome,
        )
        if len(self._entries) >= self._capacity:
            del self._entries[next(iter(self._entries))]
        self._record(entry)
        return number

    def resolve(self, number: int, outcome: Outcome) -> None:
        """Set the outcome of a failure, once; does nothing if its entry is no longer kept."""
        entry = self._entries.get(number)
        if entry is not None and entry.outcome is Outcome.WAITING:
            self._record(replace(entry, outcome=outcome))

    def _record(self, entry: RestartEntry) -> None:
        self._entries[entry.number] = entry
        self._publish(RestartRecorded(path=entry.path, entry=entry))
