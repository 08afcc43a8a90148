"""How long a request waits for the house before its client is told that something is away.

Whatever works answers in milliseconds. So these are not what an answer may
cost, but how long silence is listened to. A client that gets no answer learns
it with 503, and may ask again.
"""

from __future__ import annotations

from typing import Final

from actors.database.messages import SessionsQuery

from .addresses import ActorAddresses

LOOK: Final = 2.0
"""Seconds for what is known from memory, or in a few rows by an index: a person at a page waits for it."""
COMMIT: Final = 2.0
"""Seconds until a command that cannot be kept is refused; the session_controller gives its commits as long.

A commit under way may be done in spite of it; what has not begun by then is not begun any more.
"""
COUNT: Final = 10.0
"""Seconds for what is counted among any number of rows: by default the server ends a statement then."""
START: Final = 15.0
"""Seconds until a session is at work, after the commit that it should be."""
STOP: Final = 25.0
"""Longer than the session_controller gives a session to end."""


async def require_record(doors: ActorAddresses) -> None:
    """Pass once the record has answered something that is quick to answer.

    Before what may take long: a database that works hard is waited for, and one that is silent is not.

    Raises:
        AskFailed, MailboxFull, RecordAway
    """
    await doors.reader.ask(SessionsQuery(limit=1), timeout=LOOK)
