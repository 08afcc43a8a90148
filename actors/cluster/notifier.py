"""Tells the other instances on this database what was committed here, and hears what they tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from typing import ClassVar, Final, LiteralString, Never
from uuid import uuid4

import trio

from runtime import Actor, Bus

from ..database.connections.connection import Connection, ConnectionFactory
from ..database.connections.threads import DatabaseThreads
from ..database.errors import DatabaseUnavailable
from ..queue.statements.sql import fetch
from ..settings import DatabaseSettings
from .events import PeerLost
from .notification import KINDS, RESYNC, PendingNotifications, heard

LOOK_SECONDS: Final = 1.0
"""How often it is seen whether there are other instances."""
SHORTEST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.05
"""Seconds between two notifications; from one to the next it doubles while there is ever more to tell.

Who is told so often is at work anyway, and looks again when that is done. One
takes 0.12 ms of processor time here, and no less at the server: 20 a second are a quarter of one per cent.
"""

_CHANNEL: Final = "botvisor_news"
# Every notifier holds a share of this lock: it goes with its connection, so nobody is counted who is gone.
_PRESENCE: Final = {"class": 0x626F7476, "object": 0x6E657773}  # "botv", "news"

_LISTEN: Final[LiteralString] = f"listen {_CHANNEL}"
_NOTIFY: Final[LiteralString] = "select pg_notify(%(channel)s, %(payload)s)"
_APPEAR: Final[LiteralString] = "select pg_advisory_lock_shared(%(class)s, %(object)s)"
_OTHERS: Final[LiteralString] = """
    select coalesce(array_agg(pid), '{}') from pg_locks
    where locktype = 'advisory' and classid = %(class)s::oid and objid = %(object)s::oid and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())
        and pid <> pg_backend_pid()
"""


class Notifier(Actor[Never]):
    """Carries between instances what none of them should find out by looking now and then.

    What it hears is published here. It speaks after the commit and on a
    connection of its own: notifications in the transactions that add would
    make those of all instances take turns. While no other instance listens it
    says nothing. That one vanished is published too. After it was away, it has
    everybody look once, here and elsewhere, since something may have been lost.

    Raises:
        DatabaseAway, DatabaseRefused: from ``started`` and later.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(self, database: DatabaseSettings, dsn: str, bus: Bus) -> None:
        self._database = database
        self._dsn = dsn
        self._bus = bus
        self._name = uuid4().hex[:12]
        self._others = 0
        self._neighbours: frozenset[int] = frozenset()
        """The processes of the server that serve the other notifiers."""
        self._untold = PendingNotifications()
        self._something = trio.Event()
        self._pause = SHORTEST_PAUSE
        self._tell_at = 0.0

    async def started(self) -> None:
        self.context.detail.update(others=0, told=0, heard=0)
        await self.context.nursery.start(self._gather)
        await self.context.nursery.start(self._serve)

    async def _gather(self, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(*KINDS, capacity=1024) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, KINDS)
                if self._others:
                    self._untold.add(event)
                    if events.missed:
                        events.missed = 0
                        self._untold.add_all()
                    if self._untold:
                        self._something.set()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        server = ConnectionFactory(self._database, self._dsn, "botvisor notifier")
        threads = DatabaseThreads(1)
        with closing(await threads.connect(server)) as link:
            try:
                self._untold.add_all()
                await threads.run(link, _appear)
                await self._exchange(threads, link, look=True)
                for change in RESYNC:
                    self.context.publish(change)
                self.context.publish(PeerLost())
                task_status.started()
                await self._converse(threads, link)
            except Connection.Error as error:
                raise server.fault(error) from error

    async def _converse(self, threads: DatabaseThreads, link: Connection) -> Never:
        look = trio.current_time() + LOOK_SECONDS
        readable = partial(trio.lowlevel.wait_readable, link.fileno())
        while True:
            with trio.move_on_at(look):
                await _first_of(readable, self._occasion)
            looking = trio.current_time() >= look
            if looking:
                look = trio.current_time() + LOOK_SECONDS
            await self._exchange(threads, link, look=looking)

    async def _occasion(self) -> None:
        """Wait for something to tell and the time to tell it."""
        await self._something.wait()
        await trio.sleep_until(self._tell_at)

    def _tell(self) -> list[str]:
        """What to tell now, if anything."""
        now = trio.current_time()
        if not self._untold or now < self._tell_at:
            return []
        busy = now < self._tell_at + LONGEST_PAUSE
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if busy else SHORTEST_PAUSE
        self._tell_at = now + self._pause
        self._something = trio.Event()
        return self._untold.take(self._name)

    async def _exchange(self, threads: DatabaseThreads, link: Connection, *, look: bool) -> None:
        payloads = self._tell()
        told, others = await threads.run(link, partial(_speak_and_hear, payloads=payloads, look=look))
        news = [change for payload in told for change in heard(payload, listener=self._name)]
        if others is not None:
            # One that we only heard of was never seen among them.
            if self._neighbours - others or (self._others and not others):
                self.context.publish(PeerLost())
            self._neighbours, self._others = others, len(others)
        elif news and not self._others:
            # Somebody new. What came about here before we knew of them they have not heard.
            self._others = 1
            self._untold.add_all()
            self._something.set()
        for change in news:
            self.context.publish(change)
        self.context.detail["others"] = self._others
        self.context.count(told=len(payloads), heard=len(news))


def _appear(link: Connection) -> None:
    # Listening first: whoever counts us from now on is heard.
    link.execute(_LISTEN)
    fetch(link, _APPEAR, {**_PRESENCE})


def _speak_and_hear(
    link: Connection, payloads: Sequence[str], *, look: bool
) -> tuple[list[str], frozenset[int] | None]:
    for payload in payloads:
        fetch(link, _NOTIFY, {"channel": _CHANNEL, "payload": payload})
    others = frozenset[int](fetch(link, _OTHERS, {**_PRESENCE})[0][0]) if look else None
    return [told.payload for told in link.notifies(timeout=0)], others


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:

        async def run(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(run, wait)
