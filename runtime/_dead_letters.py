"""Dead letters: messages that were not handled, and in quarantine those that crashed their actor."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final

from ._errors import ActorStopped, MailboxFull, NoSuchLetter

MAX_TRACEBACKS: Final = 10
"""Tracebacks kept of one message; the last ones."""


class Undelivered(StrEnum):
    """Why a message was not handled."""

    STOPPED = "stopped"
    """Its actor had ended for good, or ended while the message waited or was being handled."""
    DROPPED = "dropped"
    """A newer message needed its room."""
    CRASHED = "crashed"
    """Its actor crashed while handling it; it may have had effects, so it is not handled again by itself."""
    POISON = "poison"
    """It is repeatable and crashed its actor as often as the spec allows."""

    @property
    def is_quarantine(self) -> bool:
        """Whether the message crashed its actor."""
        return self in (Undelivered.CRASHED, Undelivered.POISON)


class Repeatable:
    """Base of messages that may be handled again when their actor crashed while handling them.

    Only for messages whose handling is idempotent. After ``poison_after``
    crashes (of the child's spec) the message is quarantined instead.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashHistory:
    """The crashes that one message has caused so far."""

    crashes: int = 0
    """All of them; older tracebacks are not kept."""
    tracebacks: tuple[str, ...] = ()
    """Of the last ones, oldest first."""

    def with_crash(self, traceback: str) -> CrashHistory:
        """The history with one more crash."""
        tracebacks = (*self.tracebacks, traceback)[-MAX_TRACEBACKS:]
        return CrashHistory(crashes=self.crashes + 1, tracebacks=tracebacks)


NO_CRASHES: Final = CrashHistory()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that was not handled."""

    number: int
    """Identifies it for :class:`ResendDeadLetter`."""
    to: str
    """The name of the address."""
    message: object
    reason: Undelivered
    at: float
    """On trio's clock."""
    crashes: int = 0
    """Crashes while it was being handled."""
    tracebacks: tuple[str, ...] = ()
    """Of the last ten of them, oldest first."""


class DeadLetters:
    """The last messages that were not handled, and their number by reason.

    Messages that crashed an actor are kept apart (OTP and Akka do not keep
    them), so that a flood of ordinary dead letters cannot displace them.
    """

    def __init__(self, capacity: int = 1000, *, quarantine: int = 100) -> None:
        self._numbers = count(1)
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._quarantine: deque[DeadLetter] = deque(maxlen=quarantine)
        self._resend: dict[int, Callable[[], None]] = {}
        self.crash_histories: dict[int, tuple[object, CrashHistory]] = {}
        """By id, messages that crashed an actor and wait to be handled again."""
        self.counts: Counter[Undelivered] = Counter()
        """All dead letters since the start, by reason."""

    def letters(self) -> tuple[DeadLetter, ...]:
        """Dead letters that crashed no actor, oldest first."""
        return tuple(self._letters)

    def quarantine(self) -> tuple[DeadLetter, ...]:
        """Messages that crashed their actor, with the tracebacks, oldest first."""
        return tuple(self._quarantine)

    def add(
        self,
        message: object,
        reason: Undelivered,
        *,
        to: str,
        at: float,
        history: CrashHistory | None = None,
        resend: Callable[[], None],
    ) -> DeadLetter:
        """Keep a message; ``resend`` queues it again."""
        self.counts[reason] += 1
        number = next(self._numbers)
        history = history or self.take_history(message)
        letter = DeadLetter(
            number=number,
            to=to,
            message=message,
            reason=reason,
            at=at,
            crashes=history.crashes,
            tracebacks=history.tracebacks,
        )
        kept = self._quarantine if reason.is_quarantine else self._letters
        if len(kept) == kept.maxlen:
            self._resend.pop(kept[0].number, None)
        kept.append(letter)
        self._resend[number] = resend
        return letter

    def resend(self, number: int) -> None:
        """Queue a kept message again, without a reply, and remove its letter.

        Raises:
          NoSuchLetter: it is not kept.
          MailboxFull: its mailbox has no room; the letter stays.
          ActorStopped: its actor ended for good; the letter stays.
        """
        for kept in (self._quarantine, self._letters):
            for place, letter in enumerate(kept):
                if letter.number == number:
                    # Removed first: the mailbox may drop another message for it, which needs room here.
                    del kept[place]
                    try:
                        self._resend[number]()
                    except (MailboxFull, ActorStopped):
                        kept.insert(place, letter)
                        raise
                    del self._resend[number]
                    if letter.crashes:
                        history = CrashHistory(crashes=letter.crashes, tracebacks=letter.tracebacks)
                        self.keep_history(letter.message, history)
                    return
        raise NoSuchLetter(f"no dead letter {number} is kept")

    # Crash histories of messages that wait to be handled again

    def keep_history(self, message: object, history: CrashHistory) -> None:
        """Keep the history of a message that will be handled again."""
        # With the message itself, which keeps its id from being given to another.
        self.crash_histories[id(message)] = (message, history)

    def take_history(self, message: object) -> CrashHistory:
        """Remove and return the history of a message that no longer waits."""
        return self.crash_histories.pop(id(message), (message, NO_CRASHES))[1]

    def discard_history(self, message: object) -> None:
        """Remove the history of a message that will be neither handled nor kept."""
        self.crash_histories.pop(id(message), None)
