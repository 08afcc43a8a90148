"""The book of failures: each with its cause, what was decided, and what came of it."""

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
    """What came of a failure."""

    WAITING = "waiting"
    """It is to be started again."""
    RESTARTED = "restarted"
    """It was ready again."""
    FAILED_AGAIN = "failed again"
    """The start failed; that has an entry of its own."""
    STOPPED = "stopped"
    """It was stopped before it could be started again."""
    NOT_RESTARTED = "not restarted"
    """Its spec says so."""
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
    """The same for failures that came from the same place."""
    message: str | None
    """The type of the message in hand."""
    delay: float | None
    """Seconds until it is started again; None when it is not."""
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRecorded(LifecycleEvent):
    """An entry was written into the ledger, or its outcome became known."""

    entry: RestartEntry


class Ledger:
    """The last failures of a tree, oldest first."""

    def __init__(self, publish: Callable[[object], None], *, capacity: int = 500) -> None:
        self._publish = publish
        self._capacity = capacity
        self._numbers = count(1)
        self._entries: dict[int, RestartEntry] = {}

    def entries(self) -> tuple[RestartEntry, ...]:
        return tuple(self._entries.values())

    def write(
        self, path: str, reason: Exit, *, message: str | None, delay: float | None, outcome: Outcome
    ) -> int:
        """Enter a failure; returns the number by which :meth:`settle` knows it."""
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
        self._enter(entry)
        return number

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say what came of a failure, once."""
        entry = self._entries.get(number)
        if entry is not None and entry.outcome is Outcome.WAITING:
            self._enter(replace(entry, outcome=outcome))

    def _enter(self, entry: RestartEntry) -> None:
        self._entries[entry.number] = entry
        self._publish(RestartRecorded(path=entry.path, entry=entry))
