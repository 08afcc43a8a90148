"""Runs servers under supervision, and waits for their failures and restarts."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from actors.services import ServerProcess
from runtime import Address, Bus, ChildFailed, ChildStarted, Node, Subscription
from runtime.testing import next_event, run_actor


class Supervised:
    """One server under supervision."""

    def __init__(self, snapshot: Callable[[], Node], events: Subscription) -> None:
        self._snapshot = snapshot
        self._events = events

    @property
    def node(self) -> Node:
        """The server's node in the supervision tree."""
        return self._snapshot().children[0]

    @property
    def pid(self) -> int:
        pid = self.node.detail["pid"]
        assert isinstance(pid, int)
        return pid

    async def failed(self) -> BaseException:
        """Wait for its next failure."""
        return (await next_event(self._events, ChildFailed)).error

    async def restarted(self) -> None:
        """Wait until it is ready again."""
        while not (await next_event(self._events, ChildStarted)).restarts:
            pass


@asynccontextmanager
async def supervised(start: Callable[[], ServerProcess]) -> AsyncGenerator[Supervised, None]:
    """Run one server for the duration of the block; it is ready when the block starts."""
    bus = Bus()
    with trio.fail_after(30), bus.subscribe(ChildStarted, ChildFailed) as events:
        async with run_actor(start, Address("server"), bus=bus) as system:
            yield Supervised(system.snapshot, events)


async def ended(pid: int) -> None:
    """Wait until a process has ended; it need not be our child."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(watch)
    finally:
        os.close(watch)
