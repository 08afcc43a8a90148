"""Addresses of the database actors that sessions use, and a request that retries until answered."""

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
RETRY_PAUSE: Final = 0.2
"""Seconds before an unanswered request is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseActors:
    """Addresses of the actors that write, read and append to the database."""

    writer: Address[Write]
    reader: Address[Query]
    journal: Address[JournalMessage]


async def ask_until_answered(
    address: Address[Write] | Address[Query] | Address[JournalMessage],
    request: Request[R],
    on_error: Callable[[Exception], object],
) -> R:
    """Repeat a request until the actor answers; call `on_error` after each failed attempt.

    Retries on :class:`AskFailed`, :class:`MailboxFull` and :class:`DatabaseOutage`; other errors propagate.
    """
    while True:
        try:
            return await address.ask(request, timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, DatabaseOutage) as error:
            on_error(error)
            await trio.sleep(RETRY_PAUSE)
