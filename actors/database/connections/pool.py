"""Connections for those who only look: opened when they are needed, and kept for the next look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import DatabaseUnavailable
from .connection import Connection, ConnectionFactory, is_unavailable
from .threads import DatabaseThreads

T = TypeVar("T")


class Pool:
    """As many connections as are used at once; a broken one is replaced at the next look."""

    def __init__(self, server: ConnectionFactory, most: int) -> None:
        """Let so many work at once; whoever is beyond them waits."""
        self._server = server
        self._threads = DatabaseThreads(most, limit=server.hang)
        self._idle: list[Connection] = []

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do something on a connection. When cancelled, the server is asked to stop it.

        Raises:
            DatabaseAway, DatabaseRefused: there is no connection, or it broke.
            Link.Error: the work's own.
        """
        if self._idle:
            try:
                return await self._run_on(self._idle.pop(), work)
            except DatabaseUnavailable:
                # It may have broken long ago, with a server that is back by now.
                self.close()
        return await self._run_on(await self._threads.connect(self._server), work)

    def close(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._idle.pop().close()

    async def _run_on(self, link: Connection, work: Callable[[Connection], T]) -> T:
        try:
            return await self._threads.run(link, work)
        except Connection.Error as error:
            if is_unavailable(error):
                link.close()
                raise self._server.fault(error) from error
            raise
        finally:
            if not link.closed:
                self._idle.append(link)
