"""What one instance tells the others about the queue, as text that fits into a notification. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from .events import ChangedElsewhere, QueueChanged, TaskAdded, TaskCancelled, TaskRetried

# PostgreSQL takes less than 8000 bytes.
_MOST_IDS: Final = 100
_MOST_TYPES: Final = 30
"""With more of them, it is any type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    sender: str
    types: frozenset[str] | None
    cancelled: tuple[UUID, ...]


_TOLD: Final = TypeAdapter(_Told)


class Untold:
    """Gathers what happens here until the others are told; however much it was, that is little."""

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._any_type = False
        self._cancelled: list[UUID] = []

    def __bool__(self) -> bool:
        return bool(self._any_type or self._types or self._cancelled)

    def add(self, event: TaskAdded | TaskRetried | TaskCancelled | QueueChanged) -> None:
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

    def add_all(self) -> None:
        """Others should look for themselves."""
        self._any_type = True

    def take(self, sender: str) -> list[str]:
        """The notifications that tell it, mostly one; from here on it is told."""
        if not self:
            return []
        types = None if self._any_type or len(self._types) > _MOST_TYPES else frozenset(self._types)
        ids = tuple(self._cancelled)
        parts = [ids[start : start + _MOST_IDS] for start in range(0, len(ids), _MOST_IDS)] or [()]
        payloads = [
            _TOLD.dump_json(_Told(sender=sender, types=types, cancelled=part)).decode() for part in parts
        ]
        self._types, self._any_type, self._cancelled = set(), False, []
        return payloads


def heard(payload: str, *, listener: str) -> ChangedElsewhere | None:
    """What a notification means here; None where it is one's own.

    One that we cannot read is from another version: anything may have changed.
    """
    try:
        told = _TOLD.validate_json(payload)
    except ValidationError:
        return ChangedElsewhere(types=None)
    if told.sender == listener:
        return None
    return ChangedElsewhere(types=told.types, cancelled=told.cancelled)
