"""The tasks of a start, on a real queue: what a stop leaves of them."""

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
from .test_session_controller import Post, on_post


async def tasks_of(queue: Queue) -> dict[str, TaskView]:
    """All tasks by their type, once there are any."""
    while not (tasks := (await queue.ask(TasksQuery())).tasks):  # noqa: ASYNC110 - added in the background
        await trio.sleep(0.01)
    return {task.type: task for task in tasks}


async def states(queue: Queue) -> set[TaskState]:
    return {task.state for task in (await queue.ask(TasksQuery())).tasks}


@asynccontextmanager
async def at_work(post: Post, queue: Queue) -> AsyncGenerator[None, None]:
    """With somebody who does the tasks."""

    def workers() -> Workers:
        return Workers(
            session_handlers(post.session_controller, post.gate),
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
    login, look = startup_tasks(session, NOON)
    assert [(task.type, task.priority) for task in (login, look)] == [("login", 10), ("job_check", 5)]
    assert login.data == look.data == {"session_id": str(session)}
    assert len({login.idempotency_key, look.idempotency_key}) == 2
    assert startup_tasks(session, NOON) == (login, look)


async def test_a_stop_cancels_what_nobody_has_begun(database: str) -> None:
    """Of that session's start only: neither another's nor what somebody asked for by hand."""
    async with open_queue(database) as queue, on_post(database, queue=queue.address) as post:
        first = await post.session_controller.ask(StartSession(), timeout=5)
        second = await post.session_controller.ask(StartSession(), timeout=5)
        (ordered,) = await queue.add(NewTask(type="login", data={"session_id": str(first.id)}))
        await post.session_controller.ask(StopSession(session_id=first.id), timeout=15)
        for task in (await queue.ask(TasksQuery())).tasks:
            opens_first = task.id != ordered and task.data["session_id"] == str(first.id)
            assert task.state is (TaskState.CANCELLED if opens_first else TaskState.PENDING)
            assert task.error == ("its session was stopped" if opens_first else None)
        (stopped,) = await post.session_controller.ask(ResetSessions(), timeout=15)
        assert stopped.id == second.id
        assert await queue.state(ordered) is TaskState.PENDING
        assert len((await queue.ask(TasksQuery(state=TaskState.CANCELLED))).tasks) == 4


async def test_a_stop_right_after_a_start_leaves_no_failed_task(database: str) -> None:
    """The start's tasks may still be on their way, or anywhere from there to their end."""
    async with (
        open_queue(database) as queue,
        on_post(database, queue=queue.address) as post,
        at_work(post, queue),
    ):
        view = await post.session_controller.ask(StartSession(), timeout=5)
        for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
            await trio.sleep(delay)
            await post.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            await post.session_controller.ask(ResumeSession(session_id=view.id), timeout=15)
        await post.session_controller.ask(StopSessions(), timeout=15)
        await post.session_controller.ask(
            StartSession(), timeout=5
        )  # whoever is left over would be offered again
        await post.running()
        await post.session_controller.ask(StopSessions(), timeout=15)
        assert await states(queue) <= {TaskState.CANCELLED, TaskState.COMPLETED}


async def test_a_stop_cancels_what_a_session_has_before_it(database: str) -> None:
    """A task under way ends with its attempt, and is not tried again."""
    async with (
        open_queue(database) as queue,
        on_post(database, queue=queue.address) as post,
        at_work(post, queue),
    ):
        post.board.hold_login = trio.Event()
        view = await post.session_controller.ask(StartSession(), timeout=5)
        for task in (await tasks_of(queue)).values():
            await queue.until(task.id, TaskState.RUNNING)
        await post.session_controller.ask(ResetSession(session_id=view.id), timeout=15)
        for task in (await tasks_of(queue)).values():
            assert (task.state, task.error) == (TaskState.CANCELLED, "its session was stopped")
            (attempt,) = await queue.ask(AttemptsQuery(id=task.id))
            assert attempt.outcome is AttemptOutcome.CANCELLED


async def test_a_stop_cancels_what_waits_for_another_try(database: str) -> None:
    """As after an attempt that found the portal away."""
    async with (
        open_queue(database) as queue,
        on_post(database, queue=queue.address) as post,
        at_work(post, queue),
    ):
        post.board.spoil["jobs"] = [PortalUnavailable("away")] * 1000
        await post.record.sql("update bot_configurations set check_interval_seconds = 600")
        await post.session_controller.ask(StartSession(), timeout=5)
        look = (await tasks_of(queue))["job_check"]
        await queue.until(look.id, TaskState.DELAYED)
        await post.session_controller.ask(StopSessions(), timeout=15)
        assert await queue.state(look.id) is TaskState.CANCELLED


async def test_without_a_queue_that_answers_nothing_is_held_up(
    autojump_clock: MockClock,
) -> None:
    """A stop waits for two seconds at most, a start's tasks are left out."""
    startup_tasks = StartupTasks(Address("nobody"))
    began = trio.current_time()
    await startup_tasks.add(task_view().id, NOON)
    between = trio.current_time()
    await startup_tasks.withdraw([task_view().id, task_view().id])
    assert (between - began, trio.current_time() - between) == (5, 2)
