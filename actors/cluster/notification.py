"""What instances notify each other of, encoded as text that fits into a PostgreSQL notification. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ..database.events import ConfigurationChanged, ConfigurationRefreshRequested
from ..queue.events import QueueChanged, RemoteQueueChanged, TaskAdded, TaskCancelled, TaskRetried

LOCAL_EVENTS: Final = (
    TaskAdded,
    TaskRetried,
    TaskCancelled,
    QueueChanged,
    ConfigurationChanged,
    ConfigurationRefreshRequested,
)
"""Events of this instance that the others are notified of."""
LocalEvent: TypeAlias = (
    TaskAdded
    | TaskRetried
    | TaskCancelled
    | QueueChanged
    | ConfigurationChanged
    | ConfigurationRefreshRequested
)
"""One of `LOCAL_EVENTS`."""
RemoteEvent: TypeAlias = RemoteQueueChanged | ConfigurationChanged | ConfigurationRefreshRequested
"""An event that is published here when a notification of another instance arrives."""

RESYNC: Final[tuple[RemoteEvent, ...]] = (
    RemoteQueueChanged(types=None),
    ConfigurationRefreshRequested(remote=True),
)
"""Published when a notification may be lost: all subscribers read the database again."""

_MAX_BYTES: Final = 7999
"""In one notification; PostgreSQL accepts less than 8000."""
_MAX_IDS: Final = 100
_MAX_TYPES: Final = 30
"""Above this number, the notification says that any type may have changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """The content of one notification."""

    sender: str
    types: frozenset[str] | None
    """Types of the tasks that were added or changed; None for any type."""
    cancelled: tuple[UUID, ...]
    configuration: ConfigurationChanged | None = None
    refresh: bool = False
    """Whether sessions should read their configuration again."""


_NOTIFICATION: Final = TypeAdapter(Notification)


class PendingNotifications:
    """Collects local events until they are sent. Its size does not grow with the number of tasks."""

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._any_type = False
        self._cancelled: list[UUID] = []
        self._configurations: list[ConfigurationChanged] = []
        self._refresh = False

    def __bool__(self) -> bool:
        return self._has_tasks or bool(self._configurations or self._refresh)

    def add(self, event: LocalEvent) -> None:
        """Add what the other instances need to know of an event."""
        match event:
            case TaskAdded(types=types):
                self._types |= types
            case TaskRetried(due_in=due_in):
                # The instance that makes a delayed task pending sends the notification then.
                self._any_type |= due_in is None or due_in <= 0
            case TaskCancelled(ids=ids):
                self._cancelled += ids
            case QueueChanged():
                self._any_type = True
            case ConfigurationChanged(remote=remote):
                # A remote change has reached all instances already.
                if not remote:
                    self._configurations.append(event)
            case ConfigurationRefreshRequested(remote=remote):
                self._refresh |= not remote

    def add_all(self) -> None:
        """Make the other instances read everything again."""
        self._any_type = self._refresh = True

    def take(self, sender: str) -> list[str]:
        """Remove all pending content and return it as notifications, usually one."""
        payloads = [_encode(notification) for notification in self._tasks(sender)]
        for event in self._configurations:
            payload = _encode(replace(_empty(sender), configuration=event))
            if len(payload.encode()) <= _MAX_BYTES:
                payloads.append(payload)
            else:
                self._refresh = True
        if self._refresh:
            payloads.append(_encode(replace(_empty(sender), refresh=True)))
        self._types, self._any_type, self._cancelled = set(), False, []
        self._configurations, self._refresh = [], False
        return payloads

    @property
    def _has_tasks(self) -> bool:
        return bool(self._any_type or self._types or self._cancelled)

    def _tasks(self, sender: str) -> list[Notification]:
        if not self._has_tasks:
            return []
        types = None if self._any_type or len(self._types) > _MAX_TYPES else frozenset(self._types)
        ids = tuple(self._cancelled)
        parts = [ids[start : start + _MAX_IDS] for start in range(0, len(ids), _MAX_IDS)] or [()]
        return [Notification(sender=sender, types=types, cancelled=part) for part in parts]


def decode_notification(payload: str, *, receiver: str) -> tuple[RemoteEvent, ...]:
    """The events that a notification means here; none if the receiver sent it itself.

    A notification that cannot be decoded comes from another version: `RESYNC`.
    """
    try:
        notification = _NOTIFICATION.validate_json(payload)
    except ValidationError:
        return RESYNC
    if notification.sender == receiver:
        return ()
    events: list[RemoteEvent] = []
    if notification.types is None or notification.types or notification.cancelled:
        events.append(RemoteQueueChanged(types=notification.types, cancelled=notification.cancelled))
    if notification.configuration is not None:
        events.append(replace(notification.configuration, remote=True))
    if notification.refresh:
        events.append(ConfigurationRefreshRequested(remote=True))
    return tuple(events)


def _empty(sender: str) -> Notification:
    return Notification(sender=sender, types=frozenset(), cancelled=())


def _encode(notification: Notification) -> str:
    return _NOTIFICATION.dump_json(notification).decode()
