"""Runs the read-only queries of the task queue on connections of their own."""

from __future__ import annotations

from functools import partial
from typing import Final, TypeAlias

import trio

from ...database.connections.connection import Connection, ConnectionFactory
from ...database.connections.threads import ConnectionPool
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

QUERY_CONNECTIONS: Final = 2
"""Separate connections, so that a slow query cannot delay writes."""

QueueQuery: TypeAlias = TaskQuery | TasksQuery | AttemptsQuery | LogsQuery | QueueStatsQuery | ExplainQuery


class QueryPool:
    """Runs queries, `QUERY_CONNECTIONS` at once."""

    def __init__(self, server: ConnectionFactory, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._pool = ConnectionPool(server, QUERY_CONNECTIONS)
        self._free_connections = trio.Semaphore(QUERY_CONNECTIONS)

    async def run(self, query: QueueQuery, stale_writes: int) -> object:
        """Run a query, after those before it.

        Raises:
            DatabaseUnavailable: PostgreSQL cannot be reached, or the connection broke.
            NoSuchTask: no task has this id.
            InvalidTask: PostgreSQL rejects a value of the query.
        """
        async with self._free_connections:
            try:
                return await self._pool.run(partial(self._execute, query=query, stale_writes=stale_writes))
            except (Connection.Error, ValueError) as error:
                # A ValueError is a text that cannot be encoded, such as an unpaired surrogate.
                raise InvalidTask(f"{type(query).__name__} rejected by PostgreSQL: {error}") from error

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _execute(self, connection: Connection, query: QueueQuery, stale_writes: int) -> object:
        match query:
            case TaskQuery():
                return queries.task(connection, query)
            case TasksQuery():
                return queries.page(connection, query)
            case AttemptsQuery():
                return queries.attempts(connection, query)
            case LogsQuery():
                return queries.logs(connection, query)
            case QueueStatsQuery():
                return queries.stats(connection, self._lease_seconds, stale_writes)
            case ExplainQuery():
                return explain(connection, query, self._lease_seconds)
