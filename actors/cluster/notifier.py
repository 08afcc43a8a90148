"""The actor that exchanges notifications with the other instances on this database."""

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
from .notification import LOCAL_EVENTS, RESYNC, PendingNotifications, decode_notification

PEER_CHECK_SECONDS: Final = 1.0
"""Interval at which the other instances are counted."""
MIN_PAUSE: Final = 0.002
MAX_PAUSE: Final = 0.05
"""Seconds between two notifications; the pause doubles while there is always more to send.

An instance that receives them so often is busy anyway, and checks again when it has finished. A notification
takes 0.12 ms of processor time here, and as much in the server: 20 a second take a quarter of one per cent.
"""

_CHANNEL: Final = "botvisor_cluster"
# Every notifier holds this lock in shared mode. It ends with the connection, so only live ones are counted.
_PRESENCE: Final = {"class": 0x626F7476, "object": 0x6E657773}

_LISTEN: Final[LiteralString] = f"listen {_CHANNEL}"
_NOTIFY: Final[LiteralString] = "select pg_notify(%(channel)s, %(payload)s)"
_ANNOUNCE: Final[LiteralString] = "select pg_advisory_lock_shared(%(class)s, %(object)s)"
_PEERS: Final[LiteralString] = """
    select coalesce(array_agg(pid), '{}') from pg_locks
    where locktype = 'advisory' and classid = %(class)s::oid and objid = %(object)s::oid and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())
        and pid <> pg_backend_pid()
"""


class Notifier(Actor[Never]):
    """Sends local events to the other instances, and publishes theirs here, so that neither has to poll.

    It sends after the commit and on a connection of its own: notifications
    within the transactions that add tasks would serialise all instances. While
    no other instance listens, it sends nothing. When an instance stops,
    `PeerLost` is published. After an outage all subscribers, here and in the
    other instances, read the database once, since notifications may be lost.

    Raises:
        DatabaseUnavailable, DatabaseRejected: from ``started`` and later.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(self, database: DatabaseSettings, dsn: str, bus: Bus) -> None:
        self._database = database
        self._dsn = dsn
        self._bus = bus
        self._name = uuid4().hex[:12]
        self._peer_count = 0
        self._peers: frozenset[int] = frozenset()
        """Process ids of the server's backends that serve the other notifiers."""
        self._pending = PendingNotifications()
        self._has_pending = trio.Event()
        self._pause = MIN_PAUSE
        self._send_at = 0.0

    async def started(self) -> None:
        """Connect, listen, and announce this instance."""
        self.context.detail.update(peers=0, sent=0, received=0)
        await self.context.nursery.start(self._collect)
        await self.context.nursery.start(self._serve)

    async def _collect(self, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(*LOCAL_EVENTS, capacity=1024) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, LOCAL_EVENTS)
                if self._peer_count:
                    self._pending.add(event)
                    if events.missed:
                        events.missed = 0
                        self._pending.add_all()
                    if self._pending:
                        self._has_pending.set()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        connections = ConnectionFactory(self._database, self._dsn, "botvisor notifier")
        threads = DatabaseThreads(1)
        with closing(await threads.connect(connections)) as connection:
            try:
                self._pending.add_all()
                await threads.run(connection, _announce)
                await self._exchange(threads, connection, count_peers=True)
                for event in RESYNC:
                    self.context.publish(event)
                self.context.publish(PeerLost())
                task_status.started()
                await self._exchange_forever(threads, connection)
            except Connection.Error as error:
                raise connections.fault(error) from error

    async def _exchange_forever(self, threads: DatabaseThreads, connection: Connection) -> Never:
        next_check = trio.current_time() + PEER_CHECK_SECONDS
        readable = partial(trio.lowlevel.wait_readable, connection.fileno())
        while True:
            with trio.move_on_at(next_check):
                await _first_of(readable, self._send_due)
            count_peers = trio.current_time() >= next_check
            if count_peers:
                next_check = trio.current_time() + PEER_CHECK_SECONDS
            await self._exchange(threads, connection, count_peers=count_peers)

    async def _send_due(self) -> None:
        """Wait until there is something to send and the pause is over."""
        await self._has_pending.wait()
        await trio.sleep_until(self._send_at)

    def _take_due(self) -> list[str]:
        """The notifications to send now."""
        now = trio.current_time()
        if not self._pending or now < self._send_at:
            return []
        busy = now < self._send_at + MAX_PAUSE
        self._pause = min(2 * self._pause, MAX_PAUSE) if busy else MIN_PAUSE
        self._send_at = now + self._pause
        self._has_pending = trio.Event()
        return self._pending.take(self._name)

    async def _exchange(self, threads: DatabaseThreads, connection: Connection, *, count_peers: bool) -> None:
        payloads = self._take_due()
        received, peers = await threads.run(
            connection, partial(_send_and_receive, payloads=payloads, count_peers=count_peers)
        )
        events = [
            event for payload in received for event in decode_notification(payload, receiver=self._name)
        ]
        if peers is not None:
            # A peer known only from its notification has no process id here yet.
            if self._peers - peers or (self._peer_count and not peers):
                self.context.publish(PeerLost())
            self._peers, self._peer_count = peers, len(peers)
        elif events and not self._peer_count:
            # A new instance. It has missed the local events that came before it was known here.
            self._peer_count = 1
            self._pending.add_all()
            self._has_pending.set()
        for event in events:
            self.context.publish(event)
        self.context.detail["peers"] = self._peer_count
        self.context.count(sent=len(payloads), received=len(events))


def _announce(connection: Connection) -> None:
    # Listen first: an instance that counts this one from now on is received.
    connection.execute(_LISTEN)
    fetch(connection, _ANNOUNCE, {**_PRESENCE})


def _send_and_receive(
    connection: Connection, payloads: Sequence[str], *, count_peers: bool
) -> tuple[list[str], frozenset[int] | None]:
    for payload in payloads:
        fetch(connection, _NOTIFY, {"channel": _CHANNEL, "payload": payload})
    peers = frozenset[int](fetch(connection, _PEERS, {**_PRESENCE})[0][0]) if count_peers else None
    return [notification.payload for notification in connection.notifies(timeout=0)], peers


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:

        async def run(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(run, wait)
