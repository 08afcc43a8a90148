"""The mirror held against the record, and put right."""

from __future__ import annotations

from uuid import UUID

import pytest
import structlog.testing

from actors.mirror.messages import MOST_DIFFERENCES, MirrorStatusQuery, MirrorStatusUnavailable, RepairMirror
from actors.queue.events import TaskAdded

from . import tasks
from .applications import House, ask, eventually, mirror_of, open_house, shows_tasks
from .tasks import completed, running, task


async def test_status_compares_redis_with_the_record(application: House) -> None:
    """What somebody else wrote into Redis is found and named, and a repair ends it."""
    session = await application.open()
    await application.happen(session.id, "job_accepted", checks=3)
    tasks.put(application.record.dsn, task(1), running(2), completed(3))
    application.bus.publish(TaskAdded(ids=tuple(UUID(int=n) for n in (1, 2, 3)), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(application, task(1), running(2), completed(3)))
    status = await mirror_of(application, MirrorStatusQuery())
    assert status.differences == ()
    assert (status.compared, status.rebuilds, status.pending) == (4 + 5, 1, 0)
    assert (status.eviction_policy, status.warning) == ("noeviction", None)
    assert status.lag_ms is not None
    assert status.last_sync is not None
    for command in (
        ("HSET", f"bot:session:{session.id}", "login_status", "lost"),
        ("SADD", "bot:sessions:active", "nobody"),
        ("LPOP", "bot:events"),
        ("ZREM", "bot:tasks:queue", str(UUID(int=1))),
        ("ZADD", "bot:tasks:processing", "1", "ghost"),
        ("DEL", f"bot:task:{UUID(int=2)}"),
        ("HSET", f"bot:task:{UUID(int=3)}", "result", "{}"),
    ):
        await application.ask(*command)
    status = await mirror_of(application, MirrorStatusQuery())
    assert status.differences == (
        "bot:sessions:active has nobody, which should not be in it",
        f"bot:session:{session.id} shows login_status lost, the record says success",
        f"bot:events lacks event {application.facts[-1].id}",
        f"bot:tasks:queue lacks {UUID(int=1)}",
        "bot:tasks:processing has ghost, which should not be in it",
        *(
            sentence
            for sentence in status.differences
            if sentence
            in {
                f"bot:task:{UUID(int=2)} is missing",
                f'bot:task:{UUID(int=3)} shows result {{}}, the record says {{"ok": true}}',
            }
        ),
    )
    assert len(status.differences) == 7
    status = await mirror_of(application, RepairMirror())
    assert (status.differences, status.rebuilds) == ((), 2)


async def test_a_server_that_may_drop_keys_is_warned_of(database: str, redis_url: str) -> None:
    """In the tree, in the log and in the status."""
    await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with structlog.testing.capture_logs() as logs:
            async with open_house(database, redis_url) as application:
                status = await mirror_of(application, MirrorStatusQuery())
                assert status.warning is not None
                assert status.warning.startswith("maxmemory-policy of Redis is allkeys-lru")
                assert application.detail["warning"] == status.warning
        assert [log["policy"] for log in logs if log["event"] == "redis_may_drop_keys"] == ["allkeys-lru"]
    finally:
        await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_server_that_is_set_to_drop_keys_while_it_runs_is_warned_of(
    database: str, redis_url: str
) -> None:
    """At the next question, and no longer once it is set right."""
    async with open_house(database, redis_url) as application:
        assert (await mirror_of(application, MirrorStatusQuery())).warning is None
        await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            status = await mirror_of(application, MirrorStatusQuery())
            assert status.eviction_policy == "allkeys-lru"
            assert (status.warning or "").startswith("maxmemory-policy of Redis is allkeys-lru")
            assert application.detail["warning"] == status.warning
        finally:
            await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        status = await mirror_of(application, MirrorStatusQuery())
        assert (status.eviction_policy, status.warning) == ("noeviction", None)
        assert application.detail["warning"] is None


async def test_more_differences_than_anybody_reads_are_counted(application: House) -> None:
    """The first of them are told."""
    several = [task(n) for n in range(1, 151)]
    tasks.put(application.record.dsn, *several)
    application.bus.publish(TaskAdded(ids=tuple(one.id for one in several), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(application, *several))
    for one in several:
        await application.ask("HSET", f"bot:task:{one.id}", "type", "odd")
    status = await mirror_of(application, MirrorStatusQuery())
    assert (len(status.differences), status.more_differences) == (MOST_DIFFERENCES, 150 - MOST_DIFFERENCES)


async def test_nothing_is_said_of_what_cannot_be_compared(application: House) -> None:
    """While the record is away there is no answer but a refusal."""
    await eventually(application.shows)
    await application.record.sql("alter table tasks rename to elsewhere")
    for request in (MirrorStatusQuery(), RepairMirror()):
        with pytest.raises(MirrorStatusUnavailable):
            await mirror_of(application, request)
    await application.record.sql("alter table elsewhere rename to tasks")
    assert (await mirror_of(application, RepairMirror())).differences == ()
