"""Connections for those who only look."""

from __future__ import annotations

from functools import partial
from typing import Final, TypeAlias

import trio

from ..records.connection import Link, Server
from ..records.pool import Pool
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
    """Answers queries, a few at once."""

    def __init__(self, server: Server, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._pool = Pool(server, READERS)
        self._turns = trio.Semaphore(READERS)

    async def read(self, query: Query, stale_writes: int) -> object:
        """What the record answers, when it is this query's turn.

        Raises:
            DatabaseAway: there is no connection, or it broke.
            NoSuchTask: the task is not on record.
            InvalidTask: the query cannot be answered as it stands.
        """
        async with self._turns:
            try:
                return await self._pool.run(partial(self._look, query=query, stale_writes=stale_writes))
            except (Link.Error, ValueError) as error:
                # A ValueError is a text that cannot be sent, such as half a surrogate pair.
                sentence = f"the record cannot answer this {type(query).__name__}: {error}"
                raise InvalidTask(sentence) from error

    def close(self) -> None:
        """Close what is not in use."""
        self._pool.close()

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
