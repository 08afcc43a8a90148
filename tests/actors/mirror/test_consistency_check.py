"""What it costs to ask how the mirror stands, counted by Redis itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
import pytest
import redis
import trio
import trio.testing

from actors.mirror.consistency_check import LOOKS
from actors.mirror.messages import MirrorBusy, MirrorMessage, MirrorStatusQuery, RepairMirror
from actors.mirror.status_requests import MOST_ASKERS
from runtime import Address, AskTimeout

from .applications import House, ask, eventually, open_house


def looks(url: str) -> int:
    """How often Redis was asked which sessions are active, as each look does once."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.info("commandstats").get("cmdstat_smembers", {}).get("calls", 0)


@asynccontextmanager
async def held_up(database: str) -> AsyncGenerator[None, None]:
    """A record that can be read only afterwards."""
    with psycopg.connect(database) as connection:
        connection.execute("lock table tasks in access exclusive mode")
        yield


async def looking(application: House, looks_before: int) -> None:
    """Wait until the mirror compares."""

    async def looks_again() -> None:
        assert looks(application.url) > looks_before

    await eventually(looks_again)


async def test_any_number_of_questions_costs_one_comparison(database: str, redis_url: str) -> None:
    """The first is under way; all that came meanwhile share the next."""
    async with open_house(database, redis_url) as application:
        await application.mirror.ask(MirrorStatusQuery(), timeout=10)
        before = looks(redis_url)
        answers: list[object] = []

        async def ask_once() -> None:
            answers.append(await application.mirror.ask(MirrorStatusQuery(), timeout=10))

        async with trio.open_nursery() as nursery:
            for _ in range(MOST_ASKERS):
                nursery.start_soon(ask_once)
        assert len(answers) == MOST_ASKERS
        assert looks(redis_url) - before <= 2 * LOOKS


async def test_a_question_that_nobody_waits_for_costs_nothing(database: str, redis_url: str) -> None:
    """As of a client that asks over and over while the record is slow."""
    async with open_house(database, redis_url) as application:
        await application.mirror.ask(MirrorStatusQuery(), timeout=10)
        before = looks(redis_url)
        async with trio.open_nursery() as nursery:
            async with held_up(database):
                nursery.start_soon(ask_in_vain, application.mirror)
                await looking(application, before)
                async with trio.open_nursery() as impatient:
                    for _ in range(10):
                        impatient.start_soon(ask_in_vain, application.mirror)
            compared = looks(redis_url)
        await application.mirror.ask(MirrorStatusQuery(), timeout=10)
        assert looks(redis_url) - compared <= 2 * LOOKS


async def ask_in_vain(mirror: Address[MirrorMessage]) -> None:
    with pytest.raises(AskTimeout):
        await mirror.ask(MirrorStatusQuery(), timeout=0.2)


async def test_a_crowd_is_refused_and_those_before_it_are_answered(database: str, redis_url: str) -> None:
    """A repair as well: what it would find out is being found out already."""
    async with open_house(database, redis_url) as application:
        await application.mirror.ask(MirrorStatusQuery(), timeout=10)
        before, answers = looks(redis_url), list[object]()

        async def ask_once() -> None:
            answers.append(await application.mirror.ask(MirrorStatusQuery(), timeout=10))

        async with trio.open_nursery() as nursery, held_up(database):
            nursery.start_soon(ask_once)
            await looking(application, before)
            for _ in range(MOST_ASKERS):
                nursery.start_soon(ask_once)
            await trio.testing.wait_all_tasks_blocked()
            for request in (MirrorStatusQuery(), RepairMirror()):
                with pytest.raises(MirrorBusy):
                    await application.mirror.ask(request, timeout=1)
        assert len(answers) == MOST_ASKERS + 1


async def test_a_repair_answers_everybody(database: str, redis_url: str) -> None:
    """It is done once for all who wait for one, and what was wrong is right in every answer."""
    async with open_house(database, redis_url) as application:
        await application.mirror.ask(MirrorStatusQuery(), timeout=10)
        await ask(redis_url, "SADD", "bot:sessions:active", "nobody")
        rebuilds: list[int] = []

        async def repair() -> None:
            status = await application.mirror.ask(RepairMirror(), timeout=10)
            assert status.differences == ()
            rebuilds.append(status.rebuilds)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(repair)
        assert max(rebuilds) <= 3
