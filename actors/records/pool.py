"""Connections for those who only look: opened when they are needed, and kept for the next look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .connection import Link, Server, is_away
from .errors import DatabaseAway
from .threads import Threads

T = TypeVar("T")


class Pool:
    """As many connections as are used at once; a broken one is replaced at the next look."""

    def __init__(self, server: Server, most: int) -> None:
        """Let so many work at once; whoever is beyond them waits."""
        self._server = server
        self._threads = Threads(most, limit=server.hang)
        self._idle: list[Link] = []

    async def run(self, work: Callable[[Link], T]) -> T:
        """Do something on a connection. When cancelled, the server is asked to stop it.

        Raises:
            DatabaseAway, DatabaseRefused: there is no connection, or it broke.
            Link.Error: the work's own.
        """
        if self._idle:
            try:
                return await self._run_on(self._idle.pop(), work)
            except DatabaseAway:
                # It may have broken long ago, with a server that is back by now.
                self.close()
        return await self._run_on(await self._threads.connect(self._server), work)

    def close(self) -> None:
        """Close what is not in use."""
        while self._idle:
            self._idle.pop().close()

    async def _run_on(self, link: Link, work: Callable[[Link], T]) -> T:
        try:
            return await self._threads.run(link, work)
        except Link.Error as error:
            if is_away(error):
                link.close()
                raise self._server.fault(error) from error
            raise
        finally:
            if not link.closed:
                self._idle.append(link)
