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
from actors.queue.worker.program import LINES, run_program

from ..queues import SETTINGS, Queue, open_queue, work

TWO_SLEEPS = "echo $$; sleep 1000 & sleep 1001"


def program(script: str, *, grace: float = 3.0) -> Handler:
    """A handler that runs a shell script."""

    async def run(attempt: TaskContext) -> Json:
        return list(await run_program(attempt, ("sh", "-c", script), grace=grace))

    return run


def members(group: int) -> list[str]:
    """What runs in a process group; its dead do not count."""
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


async def says(queue: Queue, task_id: UUID, line: str) -> None:
    """Wait until this line is in the log."""
    with trio.fail_after(10):
        while True:
            if line in await lines(queue, task_id):
                return
            await trio.sleep(0.02)


async def until(holds: Callable[[], bool], *, within: float) -> None:
    """Wait for something outside of our process."""
    with trio.fail_after(within):
        while True:
            if holds():
                return
            await trio.sleep(0.01)


async def group_of(queue: Queue, task_id: UUID, *names: str) -> int:
    """Wait until the program has said its number and everything in its group runs, and return that."""
    with trio.fail_after(10):
        while True:
            for line in await lines(queue, task_id):
                if sorted(members(int(line))) == sorted(names):
                    return int(line)
            await trio.sleep(0.02)


async def is_gone(group: int, *, within: float) -> None:
    await until(lambda: not members(group), within=within)


async def test_a_program_says_what_it_does_and_returns_its_last_lines(database: str) -> None:
    """Its lines are in the log of the task, and its end is the end of the handler."""
    async with open_queue(
        database, {"work": program("echo one; echo two >&2; sleep 1; echo three")}
    ) as queue:
        (task_id,) = await queue.add(work())
        await says(queue, task_id, "two")
        assert await queue.state(task_id) is TaskState.RUNNING
        task = await queue.until(task_id, TaskState.COMPLETED)
        assert task.result == await lines(queue, task_id) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo begun; echo no such page >&2; exit 3", "ProgramFailed: sh ended with status 3: no such page"),
        ("kill -9 $$", "ProgramFailed: sh was ended by signal 9 (Killed)"),
    ],
)
async def test_a_program_that_fails_fails_the_attempt(database: str, script: str, error: str) -> None:
    """In the words of its last line."""
    async with open_queue(database, {"work": program(script)}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        assert (await queue.until(task_id, TaskState.FAILED)).error == error


async def test_a_program_that_is_not_there_fails_the_attempt(database: str) -> None:
    """By its name and the status that says so."""

    async def missing(attempt: TaskContext) -> Json:
        await run_program(attempt, ("no-such-program",))
        return None

    async with open_queue(database, {"work": missing}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        error = (await queue.until(task_id, TaskState.FAILED)).error or ""
        assert error.startswith("ProgramFailed: no-such-program ended with status 127: ")


async def test_a_program_that_says_too_much_is_not_written_down_whole(database: str) -> None:
    """The newest lines of each period are kept, and how many are missing is said."""
    async with open_queue(database, {"work": program("seq 20000")}) as queue:
        (task_id,) = await queue.add(work())
        await queue.until(task_id, TaskState.COMPLETED)
        kept = await lines(queue, task_id)
        numbers = [int(line) for line in kept if line.isdecimal()]
        left_out = sum(int(line.split()[0]) for line in kept if line.endswith(" lines were left out here"))
        assert numbers[-LINES:] == list(range(20_001 - LINES, 20_001))
        assert len(numbers) + left_out == 20_000


async def test_a_cancel_ends_a_program_and_what_it_started(database: str) -> None:
    """At once, where they listen to SIGTERM."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.ask(CancelTask(id=task_id))
        await is_gone(group, within=2.0)
        assert await queue.state(task_id) is TaskState.CANCELLED


async def test_a_program_that_will_not_end_is_killed_after_the_grace(database: str) -> None:
    """With what it started; until then it has time."""
    stubborn = f"trap '' TERM; {TWO_SLEEPS}"
    async with open_queue(database, {"work": program(stubborn, grace=1.0)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.ask(CancelTask(id=task_id))
        began = time.monotonic()
        await is_gone(group, within=4.0)
        assert time.monotonic() - began > 0.8


async def test_what_a_program_started_has_the_grace_too(database: str, tmp_path: Path) -> None:
    """The shell ends at once; its child is let finish."""
    mark = tmp_path / "put away"
    child = f"trap 'sleep 0.5; touch \"{mark}\"; exit' TERM; while :; do sleep 0.05; done"
    script = f"echo $$; ( {child} ) & wait"
    async with open_queue(database, {"work": program(script, grace=3.0)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sh", "sleep")
        await queue.ask(CancelTask(id=task_id))
        await is_gone(group, within=4.0)
        assert mark.exists()


async def test_a_program_ends_when_its_time_is_out(database: str) -> None:
    """With all that it had begun."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work(timeout_seconds=2.0, max_attempts=1))
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        task = await queue.until(task_id, TaskState.FAILED)
        assert task.error == "it took longer than 2 s"
        assert members(group) == []


async def test_a_program_ends_when_the_lease_is_lost(database: str) -> None:
    """Somebody else has the task, and may be at it already."""
    settings = replace(SETTINGS, lease_seconds=3.0)
    async with open_queue(database, {"work": program(TWO_SLEEPS)}, settings=settings) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
        await queue.sql(f"update tasks set token = token + 1 where id = '{task_id}'")
        await is_gone(group, within=5.0)


async def test_no_program_outlives_botvisor(database: str) -> None:
    """An orderly stop waits for their ends."""
    async with open_queue(database, {"work": program(TWO_SLEEPS)}) as queue:
        (task_id,) = await queue.add(work())
        group = await group_of(queue, task_id, "sh", "sleep", "sleep")
    assert members(group) == []


def counted(line: str) -> int:
    """The lines that one line of the log stands for."""
    number, left, _ = line.partition(" lines were left out here")
    return int(number) if left else 1


async def test_a_program_goes_on_while_nobody_writes_down_what_it_says(database: str, tmp_path: Path) -> None:
    """Lines of that time are kept or counted; those that come after it are in the log again."""
    diary = tmp_path / "diary"
    script = f"n=0; while :; do n=$((n+1)); echo $n; echo $n > {diary}; sleep 0.05; done"

    def said() -> int:
        return int(diary.read_text() or 0) if diary.exists() else 0

    async with open_queue(database, {"work": program(script)}) as queue:
        (task_id,) = await queue.add(work())
        await says(queue, task_id, "1")
        name = database.rpartition("=")[2]
        with psycopg.connect(database, dbname="postgres", autocommit=True) as operator:
            operator.execute(f"alter database {name} allow_connections false".encode())
            operator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )
            away = said()
            await until(lambda: said() >= away + 30, within=10.0)
            operator.execute(f"alter database {name} allow_connections true".encode())
        back = said()
        with trio.fail_after(20):
            while True:
                with suppress(QueueUnavailable):
                    kept = await lines(queue, task_id)
                    if kept[-1].isdecimal() and int(kept[-1]) > back:
                        break
                await trio.sleep(0.02)
        # Whether the queue was away or being restarted. A line whose answer was lost may be told of twice.
        assert sum(map(counted, kept)) >= int(kept[-1])
        assert await queue.state(task_id) is TaskState.RUNNING
