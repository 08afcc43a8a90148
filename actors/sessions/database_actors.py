"""Where sessions are on record: who writes, reads and keeps there, and how to insist on an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from runtime import Address, AskFailed, MailboxFull, Request

from ..database.errors import DatabaseOutage
from ..database.journal.messages import JournalMessage
from ..database.messages import Query, Write

R = TypeVar("R")

ASK_TIMEOUT: Final = 10.0
INSIST_PAUSE: Final = 0.2
"""Seconds until what got no answer is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseActors:
    """Where the record is written and read."""

    writer: Address[Write]
    reader: Address[Query]
    journal: Address[JournalMessage]


async def ask_until_answered(
    address: Address[Write] | Address[Query] | Address[JournalMessage],
    request: Request[R],
    trouble: Callable[[Exception], object],
) -> R:
    """Ask for as long as nobody answers, saying each time what the trouble is."""
    while True:
        try:
            return await address.ask(request, timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, DatabaseOutage) as error:
            trouble(error)
            await trio.sleep(INSIST_PAUSE)
