from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import trio

from actors.queue.messages import CancelTask, Json, LogsQuery, QueueUnavailable, TaskState
from actors.queue.worker.handler import Handler, TaskContext
from actors.queue.worker.program import MAX_LINES, run_program

from ..queues import SETTINGS, Queue, open_queue, work

TWO_SLEEPS = "echo $$; sleep 1000 & sleep 1001"


def program(script: str, *, grace: float = 3.0) -> Handler:
    """A handler that runs a shell script."""

    async def run(attempt: TaskContext) -> Json:
        return list(await run_program(attempt, ("sh", "-c", script), grace=grace))

    return run


def members(group: int) -> list[str]:
    """The names of the running processes of a group, without zombies."""
    found: list[str] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, its_group, *_ = rest.split()
        if int(its_group) == group and state != "Z":
            found.append(name.partition("(")[2])
    return found


async def lines(queue: Queue, task_id: UUID) -> list[str]:
    return [line.message for line in (await queue.ask(LogsQuery(id=task_id))).lines]


async def until_logged(queue: Queue, task_id: UUID, line: str) -> None:
    """Wait until a line is in the task's log."""
    with trio.fail_after(10):
        while True:
            if line in await lines(queue, task_id):
                return
            await trio.sleep(0.02)


async def until(holds: Callable[[], bool], *, within: float) -> None:
    """Wait for a condition outside of our process."""
    with trio.fail_after(within):
        while True:
            if holds():
                return
            await trio.sleep(0.01)


async def group_of(queue: Queue, task_id: UUID, *names: str) -> int:
    """Wait until the program has logged its process id and its whole group runs; returns the group id."""
    with trio.fail_after(10):
        while True:
            for line in await lines(queue, task_id):
                if sorted(members(int(line))) == sorted(names):
                    return int(line)
            await trio.sleep(0.02)


async def is_gone(group: int, *, within: float) -> None:
    await until(lambda: not members(group), within=within)


async def test_a_program_is_logged_and_returns_its_last_lines(database: str) -> None:
    """Its lines are in the task's log while it runs, and the handler ends with it."""
    async with open_queue(
        database, {"work": program("echo one; echo two >&2; sleep 1; echo three")}
    ) as queue:
        (task_id,) = await queue.add(work())
        await until_logged(queue, task_id, "two")
        assert await queue.state(task_id) is TaskState.RUNNING
        task = await queue.until(task_id, TaskState.COMPLETED)
        assert task.result == await lines(queue, task_id) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo begun; echo no such page >&2; exit 3", "ProgramFailed: sh exited with status 3: no such page"),
        ("kill -9 $$", "ProgramFailed: sh was killed by signal 9 (Killed)"),
    ],
)
async def test_a_program_that_fails_fails_the_attempt(database: str, script: str, error: str) -> None:
    """The error has its last line."""
    async with open_queue(database, {"work": program(script)}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        assert (await queue.until(task_id, TaskState.FAILED)).error == error


async def test_a_program_that_does_not_exist_fails_the_attempt(database: str) -> None:
    """With its name and status 127."""

    async def missing(attempt: TaskContext) -> Json:
        await run_program(attempt, ("no-such-program",))
        return None

    async with open_queue(database, {"work": missing}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        error = (await queue.until(task_id, TaskState.FAILED)).error or ""
        assert error.startswith("ProgramFailed: no-such-program exited with status 127: ")


async def test_lines_beyond_the_limit_are_dropped(database: str) -> None:
    """The newest lines of each flush are kept, and a line counts the dropped ones."""
    async with open_queue(database, {"work": program("seq 20000")}) as queue:
        (task_id,) = await queue.add(work())
        await queue.until(task_id, TaskState.COMPLETED)
        kept = await lines(queue, task_id)
        numbers = [int(line) for line in kept if line.isdecimal()]
        omitted = sum(int(line.split()[0]) for line in kept if line.endswith(" lines omitted"))
        assert numbers[-MAX_LINES:] == list(range(20_001 - MAX_LINES, 20_001))
        assert len(numbers) + omitted == 20_000


async def test_a_cancel_ends_a_program_and_its_children(database: str) -> None:
    """At once, if they handle SIGTERM."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.ask(CancelTask(id=task_id))
        await is_gone(group, within=2.0)
        assert await queue.state(task_id) is TaskState.CANCELLED


async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(database: str) -> None:
    """Together with its children."""
    stubborn = f"trap '' TERM; {TWO_SLEEPS}"
    async with open_queue(database, {"work": program(stubborn, grace=1.0)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.ask(CancelTask(id=task_id))
        began = time.monotonic()
        await is_gone(group, within=4.0)
        assert time.monotonic() - began > 0.8


async def test_the_children_of_a_program_have_the_grace_too(database: str, tmp_path: Path) -> None:
    """The shell ends at once; its child may finish."""
    mark = tmp_path / "cleaned up"
    child = f"trap 'sleep 0.5; touch \"{mark}\"; exit' TERM; while :; do sleep 0.05; done"
    script = f"echo $$; ( {child} ) & wait"
    async with open_queue(database, {"work": program(script, grace=3.0)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sh", "sleep")
        await queue.ask(CancelTask(id=task_id))
        await is_gone(group, within=4.0)
        assert mark.exists()


async def test_a_timeout_ends_a_program(database: str) -> None:
    """Together with its children."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work(timeout_seconds=2.0, max_attempts=1))
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        task = await queue.until(task_id, TaskState.FAILED)
        assert task.error == "timed out after 2 s"
        assert members(group) == []


async def test_a_lost_lease_ends_a_program(database: str) -> None:
    """Another worker has the task, and may run it already."""
    settings = replace(SETTINGS, lease_seconds=3.0)
    async with open_queue(database, {"work": program(TWO_SLEEPS)}, settings=settings) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.sql(f"update tasks set token = token + 1 where id = '{task_id}'")
        await is_gone(group, within=5.0)


async def test_no_program_outlives_botvisor(database: str) -> None:
    """A stop waits until they have ended."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
    assert members(group) == []


def counted(line: str) -> int:
    """The number of output lines that a log line stands for."""
    number, omitted, _ = line.partition(" lines omitted")
    return int(number) if omitted else 1


async def test_a_program_continues_while_the_queue_is_unavailable(database: str, tmp_path: Path) -> None:
    """Its lines of that time are saved later or counted; later lines are in the log again."""
    log = tmp_path / "log"
    script = f"n=0; while :; do n=$((n+1)); echo $n; echo $n > {log}; sleep 0.05; done"

    def written() -> int:
        return int(log.read_text() or 0) if log.exists() else 0

    async with open_queue(database, {"work": program(script)}) as queue:
        (task_id,) = await queue.add(work())
        await until_logged(queue, task_id, "1")
        name = database.rpartition("=")[2]
        with psycopg.connect(database, dbname="postgres", autocommit=True) as operator:
            operator.execute(f"alter database {name} allow_connections false".encode())
            operator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )
            lost_at = written()
            await until(lambda: written() >= lost_at + 30, within=10.0)
            operator.execute(f"alter database {name} allow_connections true".encode())
        restored_at = written()
        with trio.fail_after(20):
            while True:
                with suppress(QueueUnavailable):
                    kept = await lines(queue, task_id)
                    if kept[-1].isdecimal() and int(kept[-1]) > restored_at:
                        break
                await trio.sleep(0.02)
        # Whether the queue was unavailable or restarting. A line whose answer was lost may be logged twice.
        assert sum(map(counted, kept)) >= int(kept[-1])
        assert await queue.state(task_id) is TaskState.RUNNING
