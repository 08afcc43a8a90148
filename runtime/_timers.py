"""Messages that an actor sends to itself later, once or again and again."""

from __future__ import annotations

from typing import Any

import trio

from ._errors import MailboxFull
from ._mailbox import Mailbox


class Timer:
    """One running timer of an actor; it ends with its incarnation (Akka's ``TimerScheduler``)."""

    __slots__ = ("_mailbox", "_message", "_position", "_scope", "skipped")

    def __init__(self, mailbox: Mailbox[Any], message: object) -> None:
        self._mailbox = mailbox
        self._message = message
        self._scope = trio.CancelScope()
        self._position = 0
        self.skipped = 0
        """Ticks that were left out, as the one before still waited or there was no room."""

    def cancel(self) -> None:
        """Send no more; a message that waits in the mailbox already is still handled."""
        self._scope.cancel()

    async def ring(self, first: float, period: float | None) -> None:
        """Send after ``first`` seconds and then every ``period``, by the clock and not by when it woke."""
        with self._scope:
            due = trio.current_time() + first
            await trio.sleep_until(due)
            self._tick()
            while period is not None:
                due += period
                now = trio.current_time()
                if due <= now:
                    # The loop was held up: one tick makes up for those that were missed.
                    missed = (now - due) // period
                    self.skipped += int(missed)
                    due += missed * period
                await trio.sleep_until(due)
                self._tick()

    def _tick(self) -> None:
        # An actor that is slower than its timer finds one tick waiting, never a backlog.
        if self._mailbox.taken < self._position:
            self.skipped += 1
            return
        try:
            queued = self._mailbox.offer(self._message, None)
        except MailboxFull:
            queued = False
        if queued:
            self._position = self._mailbox.taken + self._mailbox.depth
        else:
            self.skipped += 1
