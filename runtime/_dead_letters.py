"""Messages that were not handled, kept for a look: dead letters, and those that crash their actor."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final

from ._errors import ActorStopped, MailboxFull, RuntimeFault

MOST_TRACEBACKS: Final = 10
"""Kept of one message; the last ones."""


class Undelivered(StrEnum):
    """Why a message was not handled."""

    STOPPED = "stopped"
    """Its actor had ended for good, or ended with the message still waiting or in hand."""
    DROPPED = "dropped"
    """A newer message needed its room."""
    CRASHED = "crashed"
    """Its actor crashed with it in hand; it may have had effects, so it does not run again by itself."""
    POISON = "poison"
    """It is repeatable and crashed its actor as often as the spec allows."""

    @property
    def is_quarantine(self) -> bool:
        """Whether the message brought an actor down."""
        return self in (Undelivered.CRASHED, Undelivered.POISON)


class Repeatable:
    """Base of messages that may be handled again when their actor crashed with them in hand.

    Only for messages whose handling is idempotent. After ``poison_after``
    crashes (of the child's spec) the message is quarantined instead.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashHistory:
    """What a message did to its actor so far."""

    crashes: int = 0
    """All of them; of some the traceback is not kept any more."""
    tracebacks: tuple[str, ...] = ()
    """Of the last ones, oldest first."""

    def and_for(self, trace: str) -> CrashHistory:
        """With one crash more."""
        tracebacks = (*self.tracebacks, trace)[-MOST_TRACEBACKS:]
        return CrashHistory(crashes=self.crashes + 1, tracebacks=tracebacks)


BLAMELESS: Final = CrashHistory()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that was not handled."""

    number: int
    """By which it can be sent again."""
    to: str
    """The name of the address."""
    message: object
    reason: Undelivered
    at: float
    """On trio's clock."""
    crashes: int = 0
    """With this message in hand."""
    tracebacks: tuple[str, ...] = ()
    """Of the last ten of them, oldest first."""


class NoSuchLetter(RuntimeFault):
    """No dead letter of this number is kept (any more)."""


class DeadLetters:
    """The last messages that were not handled, and how many there were of each reason.

    Those that crash an actor are kept apart (OTP and Akka forget them), so that
    a flood of ordinary dead letters cannot push them out.
    """

    def __init__(self, capacity: int = 1000, *, quarantine: int = 100) -> None:
        self._numbers = count(1)
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._quarantine: deque[DeadLetter] = deque(maxlen=quarantine)
        self._senders: dict[int, Callable[[], None]] = {}
        self.histories: dict[int, tuple[object, CrashHistory]] = {}
        """By id, messages that crashed an actor and are on their way again."""
        self.counts: Counter[Undelivered] = Counter()
        """All there ever were, by reason."""

    def letters(self) -> tuple[DeadLetter, ...]:
        """Those that crashed nobody, oldest first."""
        return tuple(self._letters)

    def quarantine(self) -> tuple[DeadLetter, ...]:
        """Those that crashed their actor, with the tracebacks, oldest first."""
        return tuple(self._quarantine)

    def add(
        self,
        message: object,
        reason: Undelivered,
        *,
        to: str,
        at: float,
        blame: CrashHistory | None = None,
        send: Callable[[], None],
    ) -> DeadLetter:
        """Keep a message; ``send`` queues it again, should someone want that."""
        self.counts[reason] += 1
        number = next(self._numbers)
        blame = blame or self.blame(message)
        letter = DeadLetter(
            number=number,
            to=to,
            message=message,
            reason=reason,
            at=at,
            crashes=blame.crashes,
            tracebacks=blame.tracebacks,
        )
        kept = self._quarantine if reason.is_quarantine else self._letters
        if len(kept) == kept.maxlen:
            self._senders.pop(kept[0].number, None)
        kept.append(letter)
        self._senders[number] = send
        return letter

    def resend(self, number: int) -> None:
        """Queue a kept message again and forget the letter; nobody waits for its reply any more.

        Raises:
          NoSuchLetter: it is not kept.
          MailboxFull: its mailbox has no room; the letter stays.
          ActorStopped: its actor ended for good; the letter stays.
        """
        for kept in (self._quarantine, self._letters):
            for place, letter in enumerate(kept):
                if letter.number == number:
                    # Taken out first: the mailbox may bury another message for it, which needs room here.
                    del kept[place]
                    try:
                        self._senders[number]()
                    except (MailboxFull, ActorStopped):
                        kept.insert(place, letter)
                        raise
                    del self._senders[number]
                    if letter.crashes:
                        blame = CrashHistory(crashes=letter.crashes, tracebacks=letter.tracebacks)
                        self.remember(letter.message, blame)
                    return
        raise NoSuchLetter(f"no dead letter {number} is kept")

    # What a message has done before, while it is on its way again

    def remember(self, message: object, blame: CrashHistory) -> None:
        """The message will be handled once more."""
        # With the message itself, which keeps its id from being given to another.
        self.histories[id(message)] = (message, blame)

    def blame(self, message: object) -> CrashHistory:
        """What a message did before; asked for once, when it is not on its way any more."""
        return self.histories.pop(id(message), (message, BLAMELESS))[1]

    def forget(self, message: object) -> None:
        """The message will not be handled, and not be kept either."""
        self.histories.pop(id(message), None)
