"""Writes a session's log lines to the table ``system_logs``, best effort."""

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
MAX_WAITING_LINES: Final = 200
"""Maximum number of buffered lines; beyond it, the oldest are dropped."""
ASK_TIMEOUT: Final = 10.0
"""Seconds until a write times out."""
RETRY_PAUSE: Final = 1.0
"""Seconds between two attempts to write a line."""
MAX_LINE_LENGTH: Final = 2000
"""Maximum length of a line, in characters; the excess is cut."""


class SessionLog:
    """Buffers lines and writes them in order.

    Log lines are no session events, which go through the journal: while the
    database is unavailable only the latest lines are buffered, and the buffer is
    lost when the session ends.
    """

    def __init__(self, session: UUID, writer: Address[Write]) -> None:
        self._session = session
        self._writer = writer
        self._waiting: deque[RecordLog] = deque(maxlen=MAX_WAITING_LINES)
        self._line_added = trio.Event()

    def add(self, message: str, *, level: str = "info") -> None:
        """Append a line to the buffer. Never blocks."""
        self._waiting.append(
            RecordLog(
                session_id=self._session,
                log_level=level,
                message=message[:MAX_LINE_LENGTH].replace("\0", ""),
                component=COMPONENT,
                created_at=datetime.now(UTC),
            )
        )
        self._line_added.set()

    async def write_forever(self) -> None:
        """Write the buffered lines to the database until cancelled."""
        while True:
            await self._line_added.wait()
            self._line_added = trio.Event()
            while self._waiting:
                line = self._waiting[0]
                try:
                    await self._writer.ask(line, timeout=ASK_TIMEOUT)
                except (AskFailed, MailboxFull, DatabaseOutage):
                    await trio.sleep(RETRY_PAUSE)
                    continue
                except WriteRefused:
                    pass  # a retry would not help
                if self._waiting and self._waiting[0] is line:
                    self._waiting.popleft()
