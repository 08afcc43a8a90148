"""Comparison of Redis with the database, warnings, and repair."""

from __future__ import annotations

from uuid import UUID

import pytest
import structlog.testing

from actors.mirror.messages import MAX_DIFFERENCES, MirrorStatusQuery, MirrorStatusUnavailable, RepairMirror
from actors.queue.events import TaskAdded

from . import tasks
from .running_mirror import RunningMirror, ask, eventually, open_mirror, shows_tasks, status_of
from .tasks import completed, running, task


async def test_status_reports_differences(mirror: RunningMirror) -> None:
    """Foreign writes to Redis are found and described, and a repair undoes them."""
    session = await mirror.create_session()
    await mirror.record_event(session.id, "job_accepted", checks=3)
    tasks.save(mirror.database.dsn, task(1), running(2), completed(3))
    mirror.bus.publish(TaskAdded(ids=tuple(UUID(int=n) for n in (1, 2, 3)), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(mirror, task(1), running(2), completed(3)))
    status = await status_of(mirror, MirrorStatusQuery())
    assert status.differences == ()
    assert (status.compared, status.rebuilds, status.pending) == (4 + 5, 1, 0)
    assert (status.eviction_policy, status.warning) == ("noeviction", None)
    assert status.lag_ms is not None
    assert status.last_sync is not None
    for command in (
        ("HSET", f"bot:session:{session.id}", "login_status", "lost"),
        ("SADD", "bot:sessions:active", "unknown"),
        ("LPOP", "bot:events"),
        ("ZREM", "bot:tasks:queue", str(UUID(int=1))),
        ("ZADD", "bot:tasks:processing", "1", "ghost"),
        ("DEL", f"bot:task:{UUID(int=2)}"),
        ("HSET", f"bot:task:{UUID(int=3)}", "result", "{}"),
    ):
        await mirror.ask(*command)
    status = await status_of(mirror, MirrorStatusQuery())
    assert status.differences == (
        "bot:sessions:active has unknown, which does not belong there",
        f"bot:session:{session.id} has login_status lost, the database has success",
        f"bot:events lacks event {mirror.events[-1].id}",
        f"bot:tasks:queue lacks {UUID(int=1)}",
        "bot:tasks:processing has ghost, which does not belong there",
        *(
            sentence
            for sentence in status.differences
            if sentence
            in {
                f"bot:task:{UUID(int=2)} is missing",
                f'bot:task:{UUID(int=3)} has result {{}}, the database has {{"ok": true}}',
            }
        ),
    )
    assert len(status.differences) == 7
    status = await status_of(mirror, RepairMirror())
    assert (status.differences, status.rebuilds) == ((), 2)


async def test_an_evicting_server_causes_a_warning(database: str, redis_url: str) -> None:
    """In the supervisor tree, in the log and in the status."""
    await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with structlog.testing.capture_logs() as logs:
            async with open_mirror(database, redis_url) as mirror:
                status = await status_of(mirror, MirrorStatusQuery())
                assert status.warning is not None
                assert status.warning.startswith("maxmemory-policy of Redis is allkeys-lru")
                assert mirror.detail["warning"] == status.warning
        assert [log["policy"] for log in logs if log["event"] == "redis_eviction_enabled"] == ["allkeys-lru"]
    finally:
        await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_changed_eviction_policy_is_noticed(database: str, redis_url: str) -> None:
    """By the next request; the warning ends when the policy is corrected."""
    async with open_mirror(database, redis_url) as mirror:
        assert (await status_of(mirror, MirrorStatusQuery())).warning is None
        await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            status = await status_of(mirror, MirrorStatusQuery())
            assert status.eviction_policy == "allkeys-lru"
            assert (status.warning or "").startswith("maxmemory-policy of Redis is allkeys-lru")
            assert mirror.detail["warning"] == status.warning
        finally:
            await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        status = await status_of(mirror, MirrorStatusQuery())
        assert (status.eviction_policy, status.warning) == ("noeviction", None)
        assert mirror.detail["warning"] is None


async def test_differences_beyond_the_limit_are_counted(mirror: RunningMirror) -> None:
    """The first ones are listed."""
    rows = [task(n) for n in range(1, 151)]
    tasks.save(mirror.database.dsn, *rows)
    mirror.bus.publish(TaskAdded(ids=tuple(one.id for one in rows), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(mirror, *rows))
    for one in rows:
        await mirror.ask("HSET", f"bot:task:{one.id}", "type", "odd")
    status = await status_of(mirror, MirrorStatusQuery())
    assert (len(status.differences), status.more_differences) == (MAX_DIFFERENCES, 150 - MAX_DIFFERENCES)


async def test_status_is_refused_without_a_database(mirror: RunningMirror) -> None:
    """A repair as well; both work again afterwards."""
    await eventually(mirror.check)
    await mirror.database.sql("alter table tasks rename to hidden")
    for request in (MirrorStatusQuery(), RepairMirror()):
        with pytest.raises(MirrorStatusUnavailable):
            await status_of(mirror, request)
    await mirror.database.sql("alter table hidden rename to tasks")
    assert (await status_of(mirror, RepairMirror())).differences == ()
