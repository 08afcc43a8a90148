"""What one instance tells the others, as text that fits into a notification. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ..database.events import ConfigurationChanged, ConfigurationRefreshRequested
from ..queue.events import QueueChanged, RemoteQueueChanged, TaskAdded, TaskCancelled, TaskRetried

KINDS: Final = (
    TaskAdded,
    TaskRetried,
    TaskCancelled,
    QueueChanged,
    ConfigurationChanged,
    ConfigurationRefreshRequested,
)
"""What happens here and is of interest elsewhere."""
Happened: TypeAlias = (
    TaskAdded
    | TaskRetried
    | TaskCancelled
    | QueueChanged
    | ConfigurationChanged
    | ConfigurationRefreshRequested
)
"""One of these."""
News: TypeAlias = RemoteQueueChanged | ConfigurationChanged | ConfigurationRefreshRequested
"""What is published here of what happened elsewhere."""

RESYNC: Final[tuple[News, ...]] = (
    RemoteQueueChanged(types=None),
    ConfigurationRefreshRequested(elsewhere=True),
)
"""Where something may have been lost: whoever depends on it looks for himself."""

_MOST_BYTES: Final = 7999
"""In one notification; PostgreSQL takes less than 8000."""
_MOST_IDS: Final = 100
_MOST_TYPES: Final = 30
"""With more of them, it is any type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    sender: str
    types: frozenset[str] | None
    cancelled: tuple[UUID, ...]
    configuration: ConfigurationChanged | None = None
    refresh: bool = False


_TOLD: Final = TypeAdapter(_Told)


class PendingNotifications:
    """Gathers what happens here until the others are told; however many tasks it was, that is little."""

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._any_type = False
        self._cancelled: list[UUID] = []
        self._configurations: list[ConfigurationChanged] = []
        self._refresh = False

    def __bool__(self) -> bool:
        return self._of_tasks or bool(self._configurations or self._refresh)

    def add(self, event: Happened) -> None:
        """Take note of what others should know of it."""
        match event:
            case TaskAdded(types=types):
                self._types |= types
            case TaskRetried(due_in=due_in):
                # What is only due later is told by whoever makes it pending then.
                self._any_type |= due_in is None or due_in <= 0
            case TaskCancelled(ids=ids):
                self._cancelled += ids
            case QueueChanged():
                self._any_type = True
            case ConfigurationChanged(elsewhere=elsewhere):
                # What came from elsewhere everybody has heard.
                if not elsewhere:
                    self._configurations.append(event)
            case ConfigurationRefreshRequested(elsewhere=elsewhere):
                self._refresh |= not elsewhere

    def add_all(self) -> None:
        """Others should look for themselves."""
        self._any_type = self._refresh = True

    def take(self, sender: str) -> list[str]:
        """The notifications that tell it, mostly one; from here on it is told."""
        payloads = [_dump(told) for told in self._tasks(sender)]
        for event in self._configurations:
            payload = _dump(replace(_nothing(sender), configuration=event))
            if len(payload.encode()) <= _MOST_BYTES:
                payloads.append(payload)
            else:
                self._refresh = True
        if self._refresh:
            payloads.append(_dump(replace(_nothing(sender), refresh=True)))
        self._types, self._any_type, self._cancelled = set(), False, []
        self._configurations, self._refresh = [], False
        return payloads

    @property
    def _of_tasks(self) -> bool:
        return bool(self._any_type or self._types or self._cancelled)

    def _tasks(self, sender: str) -> list[_Told]:
        if not self._of_tasks:
            return []
        types = None if self._any_type or len(self._types) > _MOST_TYPES else frozenset(self._types)
        ids = tuple(self._cancelled)
        parts = [ids[start : start + _MOST_IDS] for start in range(0, len(ids), _MOST_IDS)] or [()]
        return [_Told(sender=sender, types=types, cancelled=part) for part in parts]


def heard(payload: str, *, listener: str) -> tuple[News, ...]:
    """What a notification means here; nothing where it is one's own.

    One that we cannot read is from another version: anything may have changed.
    """
    try:
        told = _TOLD.validate_json(payload)
    except ValidationError:
        return RESYNC
    if told.sender == listener:
        return ()
    news: list[News] = []
    if told.types is None or told.types or told.cancelled:
        news.append(RemoteQueueChanged(types=told.types, cancelled=told.cancelled))
    if told.configuration is not None:
        news.append(replace(told.configuration, elsewhere=True))
    if told.refresh:
        news.append(ConfigurationRefreshRequested(elsewhere=True))
    return tuple(news)


def _nothing(sender: str) -> _Told:
    return _Told(sender=sender, types=frozenset(), cancelled=())


def _dump(told: _Told) -> str:
    return _TOLD.dump_json(told).decode()
