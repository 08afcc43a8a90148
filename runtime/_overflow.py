"""Overflow policies of mailboxes: what a full one does with another message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import TypeVar

from ._dead_letters import Undelivered
from ._errors import InvalidSpec, MessageDropped
from ._mailbox import Envelope, Mailbox, Urgent
from ._reply import Deferred

M = TypeVar("M")


class Overflow(StrEnum):
    """The overflow policy of a mailbox."""

    WAIT = "wait"
    """The sender waits for room: back-pressure. Nothing is lost."""
    REJECT = "reject"
    """The sender gets :class:`MailboxFull` at once."""
    DROP_OLDEST = "drop_oldest"
    """The oldest message becomes a dead letter: for values that are outdated quickly."""
    COALESCE = "coalesce"
    """A newer message replaces the waiting one of the same key, full or not. Asks, urgent messages
    and messages whose key is None never do. Full of different keys it makes the sender wait."""


class RejectingMailbox(Mailbox[M]):
    """Raises ``MailboxFull`` when it is full."""

    __slots__ = ()

    def make_room(self) -> bool:
        raise self.full()


class DroppingMailbox(Mailbox[M]):
    """Drops the oldest message when it is full."""

    __slots__ = ()

    def make_room(self) -> bool:
        message, deferred, _ = self._waiting.popleft()
        self.dropped += 1
        if deferred is not None:
            deferred.fail(MessageDropped(f"{self.name}: newer messages needed the room"))
        self.dead_letter(message, Undelivered.DROPPED)
        return True


class CoalescingMailbox(Mailbox[M]):
    """Keeps the latest message of each key, in the place of the first."""

    __slots__ = ("_key", "_latest")

    def __init__(self, name: str, capacity: int, key: Callable[[M], Hashable]) -> None:
        super().__init__(name, capacity)
        self._key = key
        # By key, the message in the queue and the latest one, which replaces it when it is taken.
        self._latest: dict[Hashable, tuple[M, M]] = {}

    def offer(self, message: M, deferred: Deferred[object] | None) -> bool:
        key = None if deferred is not None or isinstance(message, Urgent) else self._key(message)
        if key is None:
            return super().offer(message, deferred)
        if key in self._latest:
            # In the old place, so that a key which changes often is not delayed for ever.
            place, replaced = self._latest[key]
            self._latest[key] = (place, message)
            self.dropped += 1
            if self._dead_letters is not None:
                self._dead_letters.discard_history(replaced)
            return True
        queued = super().offer(message, deferred)
        if queued:
            self._latest[key] = (message, message)
        return queued

    def take(self) -> Envelope[M] | None:
        envelope = super().take()
        return envelope if envelope is None else self._with_latest(envelope)

    def close(self, reason: str) -> None:
        self._waiting = deque(self._with_latest(envelope) for envelope in self._waiting)
        super().close(reason)

    def _with_latest(self, envelope: Envelope[M]) -> Envelope[M]:
        message, deferred, at = envelope
        if deferred is None and not isinstance(message, Urgent):
            key = self._key(message)
            place, latest = self._latest.get(key, (None, message))
            if place is message:
                del self._latest[key]
                return latest, None, at
        return envelope


def make_mailbox(
    name: str, capacity: int, overflow: Overflow, key: Callable[[M], Hashable] | None
) -> Mailbox[M]:
    """Make a mailbox with this policy.

    Raises:
      InvalidSpec: a key without coalescing, or coalescing without a key.
    """
    if (key is not None) is not (overflow is Overflow.COALESCE):
        raise InvalidSpec(f"{name}: overflow 'coalesce' needs a key, and no other policy takes one")
    match overflow:
        case Overflow.WAIT:
            return Mailbox(name, capacity)
        case Overflow.REJECT:
            return RejectingMailbox(name, capacity)
        case Overflow.DROP_OLDEST:
            return DroppingMailbox(name, capacity)
        case Overflow.COALESCE:
            assert key is not None
            return CoalescingMailbox(name, capacity, key)
