"""A session's lines in ``system_logs``: for people, kept as far as the record takes them."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import trio

from runtime import Address, AskFailed, MailboxFull

from ...database.errors import DatabaseOutage, WriteRefused
from ...database.messages import Write
from ...database.sessions.messages import RecordLog

COMPONENT: Final = "session"
MOST_WAITING: Final = 200
"""Lines that wait for the record; of more, the oldest are left out."""
ASK_TIMEOUT: Final = 10.0
PAUSE: Final = 1.0
LONGEST: Final = 2000
"""Characters of a line."""


class SessionLog:
    """Takes lines at any time, and writes them in their order.

    They are no facts, which have their own way to the record: while that is
    away only the latest of them wait, and those that wait end with the session.
    """

    def __init__(self, session: UUID, writer: Address[Write]) -> None:
        self._session = session
        self._writer = writer
        self._waiting: deque[RecordLog] = deque(maxlen=MOST_WAITING)
        self._news = trio.Event()

    def note(self, message: str, *, level: str = "info") -> None:
        """Add a line. Never waits."""
        self._waiting.append(
            RecordLog(
                session_id=self._session,
                log_level=level,
                message=message[:LONGEST].replace("\0", ""),
                component=COMPONENT,
                created_at=datetime.now(UTC),
            )
        )
        self._news.set()

    async def write_forever(self) -> None:
        """Bring the lines to the record."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._waiting:
                line = self._waiting[0]
                try:
                    await self._writer.ask(line, timeout=ASK_TIMEOUT)
                except (AskFailed, MailboxFull, DatabaseOutage):
                    await trio.sleep(PAUSE)
                    continue
                except WriteRefused:
                    pass  # no other try would help
                if self._waiting and self._waiting[0] is line:
                    self._waiting.popleft()
