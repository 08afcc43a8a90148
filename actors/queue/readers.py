"""Connections for those who only look."""

from __future__ import annotations

from functools import partial
from typing import Final, TypeAlias

from ..records.connection import Link, Server, is_away
from ..records.errors import DatabaseAway
from ..records.threads import Threads
from . import reading
from .explain import explain
from .messages import (
    AttemptsQuery,
    ExplainQuery,
    InvalidTask,
    LogsQuery,
    QueueStatsQuery,
    TaskQuery,
    TasksQuery,
)

READERS: Final = 2
"""Connections for looking: a long look must not hold up the work."""

Query: TypeAlias = TaskQuery | TasksQuery | AttemptsQuery | LogsQuery | QueueStatsQuery | ExplainQuery


class Readers:
    """As many connections as are used at once, kept for the next query."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._threads = Threads(READERS)
        self._idle: list[Link] = []

    async def read(self, server: Server, query: Query, stale_writes: int) -> object:
        """What the record answers.

        Raises:
            DatabaseAway, NoSuchTask, InvalidTask
        """
        try:
            if self._idle:
                try:
                    return await self._read_on(server, self._idle.pop(), query, stale_writes)
                except DatabaseAway:
                    # It may have broken long ago, with a server that is back by now.
                    self.close()
            link = await self._threads.connect(server)
            return await self._read_on(server, link, query, stale_writes)
        except (Link.Error, ValueError) as error:
            # A ValueError is a text that cannot be sent, such as half a surrogate pair.
            sentence = f"the record cannot answer this {type(query).__name__}: {error}"
            raise InvalidTask(sentence) from error

    def close(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._idle.pop().close()

    async def _read_on(self, server: Server, link: Link, query: Query, stale_writes: int) -> object:
        try:
            return await self._threads.run(link, partial(self._look, query=query, stale_writes=stale_writes))
        except Link.Error as error:
            if is_away(error):
                link.close()
                raise server.fault(error) from error
            raise
        finally:
            if not link.closed:
                self._idle.append(link)

    def _look(self, link: Link, query: Query, stale_writes: int) -> object:
        match query:
            case TaskQuery():
                return reading.task(link, query)
            case TasksQuery():
                return reading.page(link, query)
            case AttemptsQuery():
                return reading.attempts(link, query)
            case LogsQuery():
                return reading.logs(link, query)
            case QueueStatsQuery():
                return reading.stats(link, self._lease_seconds, stale_writes)
            case ExplainQuery():
                return explain(link, query, self._lease_seconds)
