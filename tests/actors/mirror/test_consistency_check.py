"""Cost of status requests, counted by Redis itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
import pytest
import redis
import trio
import trio.testing

from actors.mirror.consistency_check import PASSES
from actors.mirror.messages import MirrorBusy, MirrorMessage, MirrorStatusQuery, RepairMirror
from actors.mirror.redis_sync import MAX_WAITING
from runtime import Address, AskTimeout

from .running_mirror import RunningMirror, ask, eventually, open_mirror


def passes(url: str) -> int:
    """How often Redis returned the active sessions, which each pass and each scan reads once."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.info("commandstats").get("cmdstat_smembers", {}).get("calls", 0)


@asynccontextmanager
async def locked_tasks(database: str) -> AsyncGenerator[None, None]:
    """Block reads of the table ``tasks`` until the block ends."""
    with psycopg.connect(database) as connection:
        connection.execute("lock table tasks in access exclusive mode")
        yield


async def comparing(mirror: RunningMirror, before: int) -> None:
    """Wait until the mirror begins a comparison."""

    async def has_begun() -> None:
        assert passes(mirror.url) > before

    await eventually(has_begun)


async def test_concurrent_requests_share_a_comparison(database: str, redis_url: str) -> None:
    """The first has its own; all that arrive meanwhile share the next."""
    async with open_mirror(database, redis_url) as mirror:
        await mirror.address.ask(MirrorStatusQuery(), timeout=10)
        before = passes(redis_url)
        replies: list[object] = []

        async def ask_once() -> None:
            replies.append(await mirror.address.ask(MirrorStatusQuery(), timeout=10))

        async with trio.open_nursery() as nursery:
            for _ in range(MAX_WAITING):
                nursery.start_soon(ask_once)
        assert len(replies) == MAX_WAITING
        assert passes(redis_url) - before <= 2 * PASSES


async def test_an_abandoned_request_costs_nothing(database: str, redis_url: str) -> None:
    """As from a client that retries while the database is slow."""
    async with open_mirror(database, redis_url) as mirror:
        await mirror.address.ask(MirrorStatusQuery(), timeout=10)
        before = passes(redis_url)
        async with trio.open_nursery() as nursery:
            async with locked_tasks(database):
                nursery.start_soon(ask_and_time_out, mirror.address)
                await comparing(mirror, before)
                async with trio.open_nursery() as retries:
                    for _ in range(10):
                        retries.start_soon(ask_and_time_out, mirror.address)
            compared = passes(redis_url)
        await mirror.address.ask(MirrorStatusQuery(), timeout=10)
        assert passes(redis_url) - compared <= 2 * PASSES


async def ask_and_time_out(mirror: Address[MirrorMessage]) -> None:
    with pytest.raises(AskTimeout):
        await mirror.ask(MirrorStatusQuery(), timeout=0.2)


async def test_requests_beyond_the_limit_are_refused(database: str, redis_url: str) -> None:
    """Repairs as well; the requests that wait already get their reply."""
    async with open_mirror(database, redis_url) as mirror:
        await mirror.address.ask(MirrorStatusQuery(), timeout=10)
        before, replies = passes(redis_url), list[object]()

        async def ask_once() -> None:
            replies.append(await mirror.address.ask(MirrorStatusQuery(), timeout=10))

        async with trio.open_nursery() as nursery, locked_tasks(database):
            nursery.start_soon(ask_once)
            await comparing(mirror, before)
            for _ in range(MAX_WAITING):
                nursery.start_soon(ask_once)
            await trio.testing.wait_all_tasks_blocked()
            for request in (MirrorStatusQuery(), RepairMirror()):
                with pytest.raises(MirrorBusy):
                    await mirror.address.ask(request, timeout=1)
        assert len(replies) == MAX_WAITING + 1


async def test_one_repair_replies_to_all_requests(database: str, redis_url: str) -> None:
    """No reply has differences any more."""
    async with open_mirror(database, redis_url) as mirror:
        await mirror.address.ask(MirrorStatusQuery(), timeout=10)
        await ask(redis_url, "SADD", "bot:sessions:active", "unknown")
        rebuilds: list[int] = []

        async def repair() -> None:
            status = await mirror.address.ask(RepairMirror(), timeout=10)
            assert status.differences == ()
            rebuilds.append(status.rebuilds)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(repair)
        assert max(rebuilds) <= 3
