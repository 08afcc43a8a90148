"""Startup tasks on a real queue: which of them a stop cancels."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from actors.portals.errors import PortalUnavailable
from actors.queue.messages import AttemptOutcome, AttemptsQuery, NewTask, TasksQuery, TaskState, TaskView
from actors.queue.worker.workers import Workers
from actors.sessions.controller.startup_tasks import StartupTasks, startup_tasks
from actors.sessions.controller.task_handlers import session_handlers
from actors.sessions.messages import (
    ResetSession,
    ResetSessions,
    ResumeSession,
    StartSession,
    StopSession,
    StopSessions,
)
from runtime import Address
from runtime.testing import run_actor

from ....builders import NOON, task_view
from ...queue.queues import Queue, open_queue
from .test_session_controller import ControllerHarness, open_controller


async def tasks_of(queue: Queue) -> dict[str, TaskView]:
    """All tasks by their type, once there are any."""
    while not (tasks := (await queue.ask(TasksQuery())).tasks):  # noqa: ASYNC110 - added in the background
        await trio.sleep(0.01)
    return {task.type: task for task in tasks}


async def states(queue: Queue) -> set[TaskState]:
    return {task.state for task in (await queue.ask(TasksQuery())).tasks}


@asynccontextmanager
async def at_work(harness: ControllerHarness, queue: Queue) -> AsyncGenerator[None, None]:
    """Run workers that execute the tasks."""

    def workers() -> Workers:
        return Workers(
            session_handlers(harness.session_controller, harness.gate),
            queue.address,
            queue.bus,
            owner="here",
            concurrency=5,
            lease_seconds=30.0,
            poll_seconds=0.05,
        )

    async with run_actor(workers, Address("workers"), bus=queue.bus):
        yield


def test_a_start_has_its_own_tasks() -> None:
    """The Compatibility API's priorities, and one of each for each start."""
    session = task_view().id
    login, job_check = startup_tasks(session, NOON)
    assert [(task.type, task.priority) for task in (login, job_check)] == [("login", 10), ("job_check", 5)]
    assert login.data == job_check.data == {"session_id": str(session)}
    assert len({login.idempotency_key, job_check.idempotency_key}) == 2
    assert startup_tasks(session, NOON) == (login, job_check)


async def test_a_stop_cancels_pending_startup_tasks(database: str) -> None:
    """Of that session only: neither those of another session nor tasks that a client added."""
    async with open_queue(database) as queue, open_controller(database, queue=queue.address) as harness:
        first = await harness.session_controller.ask(StartSession(), timeout=5)
        second = await harness.session_controller.ask(StartSession(), timeout=5)
        (added,) = await queue.add(NewTask(type="login", data={"session_id": str(first.id)}))
        await harness.session_controller.ask(StopSession(session_id=first.id), timeout=15)
        for task in (await queue.ask(TasksQuery())).tasks:
            of_first_start = task.id != added and task.data["session_id"] == str(first.id)
            assert task.state is (TaskState.CANCELLED if of_first_start else TaskState.PENDING)
            assert task.error == ("its session was stopped" if of_first_start else None)
        (stopped,) = await harness.session_controller.ask(ResetSessions(), timeout=15)
        assert stopped.id == second.id
        assert await queue.state(added) is TaskState.PENDING
        assert len((await queue.ask(TasksQuery(state=TaskState.CANCELLED))).tasks) == 4


async def test_a_stop_right_after_a_start_leaves_no_failed_task(database: str) -> None:
    """The tasks of the start may not be added yet, or be in any state."""
    async with (
        open_queue(database) as queue,
        open_controller(database, queue=queue.address) as harness,
        at_work(harness, queue),
    ):
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
            await trio.sleep(delay)
            await harness.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            await harness.session_controller.ask(ResumeSession(session_id=view.id), timeout=15)
        await harness.session_controller.ask(StopSessions(), timeout=15)
        await harness.session_controller.ask(
            StartSession(), timeout=5
        )  # would be offered any task that is left
        await harness.running()
        await harness.session_controller.ask(StopSessions(), timeout=15)
        assert await states(queue) <= {TaskState.CANCELLED, TaskState.COMPLETED}


async def test_a_stop_cancels_running_startup_tasks(database: str) -> None:
    """A running task ends with its attempt and is not retried."""
    async with (
        open_queue(database) as queue,
        open_controller(database, queue=queue.address) as harness,
        at_work(harness, queue),
    ):
        harness.portal.hold_login = trio.Event()
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        for task in (await tasks_of(queue)).values():
            await queue.until(task.id, TaskState.RUNNING)
        await harness.session_controller.ask(ResetSession(session_id=view.id), timeout=15)
        for task in (await tasks_of(queue)).values():
            assert (task.state, task.error) == (TaskState.CANCELLED, "its session was stopped")
            (attempt,) = await queue.ask(AttemptsQuery(id=task.id))
            assert attempt.outcome is AttemptOutcome.CANCELLED


async def test_a_stop_cancels_delayed_startup_tasks(database: str) -> None:
    """As after an attempt that found the portal unavailable."""
    async with (
        open_queue(database) as queue,
        open_controller(database, queue=queue.address) as harness,
        at_work(harness, queue),
    ):
        harness.portal.errors["jobs"] = [PortalUnavailable("unavailable")] * 1000
        await harness.db.sql("update bot_configurations set check_interval_seconds = 600")
        await harness.session_controller.ask(StartSession(), timeout=5)
        job_check = (await tasks_of(queue))["job_check"]
        await queue.until(job_check.id, TaskState.DELAYED)
        await harness.session_controller.ask(StopSessions(), timeout=15)
        assert await queue.state(job_check.id) is TaskState.CANCELLED


async def test_an_unresponsive_queue_delays_neither_start_nor_stop(
    autojump_clock: MockClock,
) -> None:
    """A stop waits for two seconds at most; the tasks of the start are not added."""
    startup_tasks = StartupTasks(Address("unresponsive"))
    began = trio.current_time()
    await startup_tasks.add(task_view().id, NOON)
    between = trio.current_time()
    await startup_tasks.withdraw([task_view().id, task_view().id])
    assert (between - began, trio.current_time() - between) == (5, 2)
