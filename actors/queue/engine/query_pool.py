"""Connections for those who only look."""

from __future__ import annotations

from functools import partial
from typing import Final, TypeAlias

import trio

from ...database.connections.connection import Connection, ConnectionFactory
from ...database.connections.pool import Pool
from ..messages import (
    AttemptsQuery,
    ExplainQuery,
    InvalidTask,
    LogsQuery,
    QueueStatsQuery,
    TaskQuery,
    TasksQuery,
)
from ..statements import queries
from ..statements.explain import explain

READERS: Final = 2
"""Connections for looking: a long look must not hold up the work."""

QueueQuery: TypeAlias = TaskQuery | TasksQuery | AttemptsQuery | LogsQuery | QueueStatsQuery | ExplainQuery


class QueryPool:
    """Answers queries, a few at once."""

    def __init__(self, server: ConnectionFactory, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._pool = Pool(server, READERS)
        self._turns = trio.Semaphore(READERS)

    async def read(self, query: QueueQuery, stale_writes: int) -> object:
        """What the record answers, when it is this query's turn.

        Raises:
            DatabaseAway: there is no connection, or it broke.
            NoSuchTask: the task is not on record.
            InvalidTask: the query cannot be answered as it stands.
        """
        async with self._turns:
            try:
                return await self._pool.run(partial(self._look, query=query, stale_writes=stale_writes))
            except (Connection.Error, ValueError) as error:
                # A ValueError is a text that cannot be sent, such as half a surrogate pair.
                sentence = f"the record cannot answer this {type(query).__name__}: {error}"
                raise InvalidTask(sentence) from error

    def close(self) -> None:
        """Close what is not in use."""
        self._pool.close()

    def _look(self, link: Connection, query: QueueQuery, stale_writes: int) -> object:
        match query:
            case TaskQuery():
                return queries.task(link, query)
            case TasksQuery():
                return queries.page(link, query)
            case AttemptsQuery():
                return queries.attempts(link, query)
            case LogsQuery():
                return queries.logs(link, query)
            case QueueStatsQuery():
                return queries.stats(link, self._lease_seconds, stale_writes)
            case ExplainQuery():
                return explain(link, query, self._lease_seconds)
