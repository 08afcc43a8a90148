from __future__ import annotations

import os
import signal
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
import trio
import trio.testing

from actors.queue.engine.task_queue import MAX_QUERIES
from actors.queue.events import TaskAdded, TaskCompleted, TaskDied
from actors.queue.messages import (
    AddResult,
    AddTasks,
    AttemptOutcome,
    AttemptsQuery,
    CancelTask,
    ChildFailure,
    CompleteTasks,
    Completion,
    DedupMode,
    ExplainQuery,
    FailTask,
    InvalidTask,
    InvalidTaskState,
    LimitScope,
    LimitTasks,
    LogsQuery,
    NewTask,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueStatsQuery,
    QueueUnavailable,
    ReasonKind,
    RenewLeases,
    ReportLog,
    ReportProgress,
    ReprioritizeTask,
    ResumeTasks,
    RetryRule,
    RetryTask,
    StaleToken,
    TasksQuery,
    TaskState,
)

from ...database.harness import settings as limits
from ..queues import SETTINGS, Queue, open_queue, work


async def test_a_task_is_added_claimed_and_completed(database: str) -> None:
    """Its result is saved once."""
    async with open_queue(database) as queue:
        with queue.bus.subscribe(TaskAdded, TaskCompleted) as events:
            (task_id,) = await queue.add(work(1, priority=2))
            (lease,) = await queue.claim()
            assert (lease.task.id, lease.token, lease.task.attempts) == (task_id, 1, 1)
            assert await queue.state(task_id) is TaskState.RUNNING
            assert await queue.complete(lease) == frozenset()
            assert await queue.complete(lease) == frozenset()
            task = await queue.task(task_id)
            assert (task.state, task.result, task.data) == (TaskState.COMPLETED, {"ok": True}, {"n": 1})
            assert await queue.claim() == ()
            assert [type(event) for event in events.drain()] == [TaskAdded, TaskCompleted]


async def test_claims_come_by_priority_then_by_age(database: str) -> None:
    """First in, first out within a priority."""
    async with open_queue(database) as queue:
        ids = await queue.add(work(0), work(1), work(2, priority=5), work(3), work(4, priority=5))
        leases = await queue.claim(limit=4)
        assert [lease.task.id for lease in leases] == [ids[n] for n in (2, 4, 0, 1)]


async def test_a_failed_task_is_retried_after_its_backoff(database: str) -> None:
    """Until its attempts are used up; its history lists them."""
    async with open_queue(database, reaper=True) as queue:
        rule = RetryRule(seconds=0.01, jitter=0.0)
        (task_id,) = await queue.add(work(max_attempts=2, retry=rule))
        (lease,) = await queue.claim()
        assert await queue.ask(FailTask(id=task_id, token=lease.token, error="no")) is TaskState.DELAYED
        await queue.until(task_id, TaskState.PENDING)
        (lease,) = await queue.claim()
        assert await queue.ask(FailTask(id=task_id, token=2, error="never")) is TaskState.FAILED
        attempts = await queue.ask(AttemptsQuery(id=task_id))
        assert [(one.outcome, one.error) for one in attempts] == [
            (AttemptOutcome.FAILED, "no"),
            (AttemptOutcome.FAILED, "never"),
        ]
        again = await queue.ask(RetryTask(id=task_id, data={"n": 7}))
        assert (again.state, again.attempts, again.data, again.error) == (
            TaskState.PENDING,
            0,
            {"n": 7},
            None,
        )


async def test_permanent_errors_are_final_and_retry_after_is_respected(database: str) -> None:
    """Whatever the retry rule says."""
    async with open_queue(database) as queue:
        await queue.add(work(), work())
        one, two = await queue.claim()
        final = FailTask(id=one.task.id, token=1, error="gone", permanent=True)
        assert await queue.ask(final) is TaskState.FAILED
        later = FailTask(id=two.task.id, token=1, error="429", retry_after=1000)
        assert await queue.ask(later) is TaskState.DELAYED
        task = await queue.task(two.task.id)
        assert task.run_at is not None
        assert task.started_at is not None
        assert (task.run_at - task.started_at).total_seconds() > 999
        explained = await queue.ask(ExplainQuery(id=task.id))
        assert explained.reasons[0].kind is ReasonKind.BACKOFF


async def test_a_write_with_a_stale_token_is_rejected_and_counted(database: str) -> None:
    """Progress, log, result and failure are all fenced."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        (lease,) = await queue.claim()
        await queue.ask(ReportProgress(id=task_id, token=1, progress=40))
        await queue.ask(ReportLog(id=task_id, token=1, message="half \0 way"))
        before = await queue.task(task_id)
        for token in (0, 2):
            for message in (
                ReportProgress(id=task_id, token=token, progress=90),
                ReportLog(id=task_id, token=token, message="x"),
                FailTask(id=task_id, token=token, error="x"),
            ):
                with pytest.raises(StaleToken):
                    await queue.address.ask(message, timeout=10)  # type: ignore[arg-type, misc]
            assert await queue.complete(replace(lease, token=token)) == {task_id}
        assert await queue.task(task_id) == before
        assert before.progress == 40
        assert len((await queue.ask(LogsQuery(id=task_id))).lines) == 1
        assert (await queue.ask(QueueStatsQuery())).stale_writes == 8
        renewed = await queue.ask(RenewLeases(owner="me", types=("work",), leases=((task_id, 2),)))
        assert renewed.lost == {task_id}


async def test_a_task_whose_lease_expires_is_requeued_and_finally_dead(database: str) -> None:
    """Its history lists the stalls."""
    settings = replace(SETTINGS, lease_seconds=0.1, max_stalls=1)
    async with open_queue(database, settings=settings, reaper=True) as queue:
        with queue.bus.subscribe(TaskDied) as deaths:
            (task_id,) = await queue.add(work())
            (lease,) = await queue.claim()
            back = await queue.until(task_id, TaskState.PENDING)
            assert (back.stalls, back.attempts) == (1, 0)
            assert await queue.complete(lease) == {task_id}
            await queue.claim()
            dead = await queue.until(task_id, TaskState.DEAD)
            assert dead.stalls == 2
            attempts = await queue.ask(AttemptsQuery(id=task_id))
            assert [one.outcome for one in attempts] == [AttemptOutcome.STALLED] * 2
            assert len(deaths.drain()) == 1


async def test_delay_promote_and_priority(database: str) -> None:
    """A delayed task becomes pending when it is due or promoted."""
    async with open_queue(database, reaper=True) as queue:
        soon, late, usual = await queue.add(work(1, delay_seconds=0.1), work(2, delay_seconds=3600), work(3))
        assert [lease.task.id for lease in await queue.claim()] == [usual]
        await queue.until(soon, TaskState.PENDING)
        promoted = await queue.ask(PromoteTask(id=late))
        assert promoted.state is TaskState.PENDING
        await queue.ask(ReprioritizeTask(id=late, priority=9))
        assert [lease.task.id for lease in await queue.claim()] == [late, soon]
        with pytest.raises(InvalidTaskState, match=r"cannot promote a task that is running"):
            await queue.ask(PromoteTask(id=late))
        with pytest.raises(NoSuchTask):
            await queue.ask(PromoteTask(id=uuid4()))


async def test_pauses_and_limits_hold_tasks_back_and_are_explained(database: str) -> None:
    """By type, by group and by rate."""
    async with open_queue(database) as queue:
        await queue.ask(RenewLeases(owner="me", types=("work", "other"), leases=(), concurrency=10))
        ids = await queue.add(*(work(n, group="g" if n < 3 else None) for n in range(5)))
        await queue.ask(PauseTasks(type="work"))
        assert await queue.claim() == ()
        explained = await queue.ask(ExplainQuery(id=ids[0]))
        assert [reason.kind for reason in explained.reasons] == [ReasonKind.PAUSED]
        await queue.ask(ResumeTasks(type="work"))
        await queue.ask(LimitTasks(scope=LimitScope.GROUP, name="g", max_running=1))
        leases = await queue.claim()
        assert [lease.task.id for lease in leases] == [ids[0], ids[3], ids[4]]
        (reason, _) = (await queue.ask(ExplainQuery(id=ids[2]))).reasons
        assert (reason.kind, reason.by) == (ReasonKind.CONCURRENCY, ("me",))
        await queue.complete(leases[0])
        assert [lease.task.id for lease in await queue.claim()] == [ids[1]]
        await queue.ask(LimitTasks(scope=LimitScope.GROUP, name="g"))
        await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="other", rate=2, rate_seconds=1000))
        more = await queue.add(*(NewTask(type="other") for _ in range(3)))
        assert len(await queue.claim("other")) == 2
        explained = await queue.ask(ExplainQuery(id=more[2]))
        assert [reason.kind for reason in explained.reasons] == [ReasonKind.RATE]
        assert explained.reasons[0].until is not None
        assert [lease.task.id for lease in await queue.claim("other", "work")] == [ids[2]]


async def test_idempotency_keys(database: str) -> None:
    """Simple, throttle and debounce."""
    async with open_queue(database) as queue:

        async def add(n: int, mode: DedupMode, seconds: float = 0.0) -> tuple[object, bool]:
            task = work(n, idempotency_key=mode.value, dedup=mode, dedup_seconds=seconds)
            (added,) = await queue.ask(AddTasks(tasks=(task,)))
            return added.id, added.created

        first, created = await add(1, DedupMode.SIMPLE)
        assert created
        assert await add(2, DedupMode.SIMPLE) == (first, False)
        await queue.complete(*await queue.claim())
        assert await add(3, DedupMode.SIMPLE) == (first, False)
        throttled, _ = await add(1, DedupMode.THROTTLE, 1000)
        assert await add(2, DedupMode.THROTTLE, 1000) == (throttled, False)
        await queue.sql("update task_keys set until = now() where key = 'throttle'")
        assert (await add(3, DedupMode.THROTTLE, 1000))[1]
        bounced, created = await add(1, DedupMode.DEBOUNCE, 1000)
        assert created
        assert await add(2, DedupMode.DEBOUNCE, 1000) == (bounced, False)
        (row,) = await queue.sql("select data, state from tasks where idempotency_key = 'debounce'")
        assert row == {"data": {"n": 2}, "state": "delayed"}
        both = await queue.ask(AddTasks(tasks=(work(1, idempotency_key="k"), work(2, idempotency_key="k"))))
        assert both[0].id == both[1].id
        assert [added.created for added in both] == [True, False]


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (ChildFailure.FAIL, TaskState.FAILED),
        (ChildFailure.IGNORE, TaskState.PENDING),
        (ChildFailure.WAIT, TaskState.DELAYED),
    ],
)
async def test_a_parent_waits_for_its_children(database: str, policy: ChildFailure, after: TaskState) -> None:
    """Its policy decides what happens when one fails."""
    async with open_queue(database) as queue:
        children = (work(1, max_attempts=1), work(2, max_attempts=1))
        (parent,) = await queue.add(NewTask(type="work", children=children, on_child_failure=policy))
        assert (await queue.ask(ExplainQuery(id=parent))).reasons[0].kind is ReasonKind.CHILDREN
        with pytest.raises(InvalidTaskState):
            await queue.ask(PromoteTask(id=parent))
        one, two = await queue.claim()
        await queue.complete(one)
        assert await queue.state(parent) is TaskState.DELAYED
        await queue.ask(FailTask(id=two.task.id, token=1, error="no"))
        assert await queue.state(parent) is after
        if policy is ChildFailure.WAIT:
            await queue.ask(RetryTask(id=two.task.id))
            await queue.complete(*await queue.claim())
            assert [lease.task.id for lease in await queue.claim()] == [parent]


async def test_cancel(database: str) -> None:
    """Cancels the children, fences off the handler, and makes a retry wait for the end of the lease."""
    async with open_queue(database) as queue:
        (parent,) = await queue.add(NewTask(type="work", children=(work(1), work(2))))
        (lease,) = await queue.claim(limit=1)
        assert (await queue.ask(CancelTask(id=parent))).state is TaskState.CANCELLED
        page = await queue.ask(TasksQuery(state=TaskState.CANCELLED))
        assert len(page.tasks) == 3
        assert await queue.complete(lease) == {lease.task.id}
        with pytest.raises(InvalidTaskState):
            await queue.ask(CancelTask(id=parent))
        again = await queue.ask(RetryTask(id=lease.task.id))
        assert again.state is TaskState.DELAYED
        assert again.run_at == lease.until


async def test_pages_list_every_task_once(database: str) -> None:
    """Newest first."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n) for n in range(25)))
        seen, cursor = [], None
        while True:
            page = await queue.ask(TasksQuery(type="work", cursor=cursor, limit=10))
            seen += [task.id for task in page.tasks]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == sorted(ids, reverse=True)
        with pytest.raises(InvalidTask):
            await queue.ask(TasksQuery(cursor="x"))


async def test_an_invalid_task_is_refused_to_its_caller_only(database: str) -> None:
    """Other requests of the same commit succeed."""
    async with open_queue(database) as queue:
        refused: list[str] = []

        async def add(n: int, bad: NewTask | None) -> None:
            try:
                await queue.add(work(n) if bad is None else bad)
            except InvalidTask as refusal:
                refused.append(str(refusal))

        bad = [
            work(data={"x": "\0"}),
            work(data={"x": "\ud800"}),
            work(data={"x": float("nan")}),
            work(group="\0"),
            work(type="No Type"),
            work(delay_seconds=-1.0),
        ]
        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(add, n, bad[n] if n < len(bad) else None)
        assert len(refused) == len(bad)
        assert (await queue.ask(QueueStatsQuery())).states[TaskState.PENDING] == 24
        (task_id,) = await queue.add(work(data={"x": "\U0001f600 \\u0000 'quoted' \"so\""}))
        assert (await queue.task(task_id)).data == {"x": "\U0001f600 \\u0000 'quoted' \"so\""}


async def test_a_lost_connection_refuses_at_once_and_reconnects(database: str) -> None:
    """The actor does not restart, and no accepted task is lost."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        name = database.rpartition("=")[2]
        with psycopg.connect(database, dbname="postgres", autocommit=True) as operator:
            operator.execute(f"alter database {name} allow_connections false".encode())
            operator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [name],
            )
            for _ in range(3):
                with trio.fail_after(1), pytest.raises(QueueUnavailable):
                    await queue.add(work())
            operator.execute(f"alter database {name} allow_connections true".encode())
        with trio.fail_after(10):
            while True:
                try:
                    leases = await queue.claim()
                    break
                except QueueUnavailable:
                    await trio.sleep(0.02)
        assert [lease.task.id for lease in leases] == [task_id]
        assert queue.system.snapshot().children[0].restarts == 0


async def test_slow_queries_do_not_delay_writes(database: str) -> None:
    """Leases are renewed while `MAX_QUERIES` queries wait."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        (lease,) = await queue.claim()
        with psycopg.connect(database) as operator:
            operator.execute("lock table task_logs in access exclusive mode")
            async with trio.open_nursery() as nursery:
                for _ in range(MAX_QUERIES):
                    nursery.start_soon(queue.ask, LogsQuery(id=task_id))
                await trio.testing.wait_all_tasks_blocked()
                renewed = await queue.ask(
                    RenewLeases(owner="me", types=("work",), leases=((task_id, lease.token),))
                )
                assert renewed.lost == frozenset()
                with pytest.raises(QueueUnavailable, match="100 queries are already in progress"):
                    await queue.ask(LogsQuery(id=task_id))
                operator.rollback()
        assert (await queue.ask(LogsQuery(id=task_id))).lines == ()


@pytest.mark.parametrize("change", [AddTasks(tasks=(work(),)), PauseTasks()], ids=["fast", "transactional"])
async def test_a_server_that_hangs_is_unavailable(database: str, change: AddTasks | PauseTasks) -> None:
    """Its processes are stopped, so that it ignores even its own timeouts: everything is refused at once."""
    async with open_queue(database, limits=limits(statement_timeout=0.2)) as queue:
        (row,) = await queue.sql(
            "select array_agg(pid) as pids from pg_stat_activity"
            " where application_name = 'botvisor task_queue' and datname = current_database()"
        )
        for pid in row["pids"]:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(QueueUnavailable, match=r"may be done or not: no answer within 0\.4 s"):
                await queue.ask(change)
            with pytest.raises(QueueUnavailable, match="is unavailable: no answer"):
                await queue.ask(change)
        finally:
            for pid in row["pids"]:
                os.kill(pid, signal.SIGCONT)


async def test_debounced_tasks_become_one_with_the_newest_data(database: str) -> None:
    """In one request, in one batch or one after the other; its wait restarts with each."""

    def bounced(n: int) -> NewTask:
        return work(n, idempotency_key="b", dedup=DedupMode.DEBOUNCE, dedup_seconds=1000)

    async with open_queue(database) as queue:
        added = await queue.ask(AddTasks(tasks=(bounced(1), bounced(2), bounced(3))))
        assert [one.created for one in added] == [True, False, False]
        assert len({one.id for one in added}) == 1
        async with trio.open_nursery() as nursery:
            for n in range(4, 24):
                nursery.start_soon(queue.add, bounced(n))
        before = await queue.task(added[0].id)
        (last,) = await queue.ask(AddTasks(tasks=(bounced(24),)))
        (row,) = await queue.sql("select id, data, state, run_at from tasks")
        assert (row["id"], row["data"], row["state"]) == (last.id, {"n": 24}, "delayed")
        assert before.run_at is not None
        assert row["run_at"] > before.run_at


@pytest.mark.parametrize("dedup", DedupMode)
async def test_two_instances_create_one_task_for_a_key(database: str, dedup: DedupMode) -> None:
    """However close the requests are, the second gets the id of the first task."""
    seconds = 0.0 if dedup is DedupMode.SIMPLE else 1000.0
    replies: dict[str, list[AddResult]] = {f"key-{n}": [] for n in range(200)}
    async with open_queue(database) as one, open_queue(database) as two:

        async def add(queue: Queue, key: str) -> None:
            task = work(idempotency_key=key, dedup=dedup, dedup_seconds=seconds)
            replies[key] += await queue.ask(AddTasks(tasks=(task,)))

        for key in replies:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(add, one, key)
                nursery.start_soon(add, two, key)
        assert (await one.sql("select count(*) as n from tasks"))[0]["n"] == len(replies)
    for first, second in replies.values():
        assert first.id == second.id
        assert {first.created, second.created} == {True, False}


async def test_retrying_a_completed_task_keeps_its_earlier_result(database: str) -> None:
    """Both attempts and results are in its history."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        await queue.complete(*await queue.claim())
        await queue.ask(RetryTask(id=task_id))
        (lease,) = await queue.claim()
        await queue.ask(
            CompleteTasks(completions=(Completion(id=task_id, token=lease.token, result="again"),))
        )
        attempts = await queue.ask(AttemptsQuery(id=task_id))
        assert [(one.outcome, one.result) for one in attempts] == [
            (AttemptOutcome.COMPLETED, {"ok": True}),
            (AttemptOutcome.COMPLETED, "again"),
        ]


async def test_a_parent_is_not_retried_before_its_failed_children(database: str) -> None:
    """If their failure fails the parent."""
    async with open_queue(database) as queue:
        (parent,) = await queue.add(work(children=(NewTask(type="child", max_attempts=1),)))
        (child,) = await queue.claim("child")
        await queue.ask(FailTask(id=child.task.id, token=child.token, error="no"))
        assert await queue.state(parent) is TaskState.FAILED
        with pytest.raises(InvalidTaskState, match=f"child {child.task.id} is failed; retry that one first"):
            await queue.ask(RetryTask(id=parent))
        await queue.ask(RetryTask(id=child.task.id))
        assert (await queue.ask(RetryTask(id=parent))).state is TaskState.DELAYED
        await queue.complete(*await queue.claim("child"))
        assert await queue.state(parent) is TaskState.PENDING


async def test_a_promotion_does_not_overtake_a_cancelled_handler(database: str) -> None:
    """A retried task waits until the lease of the cancelled handler ends."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        await queue.claim()
        await queue.ask(CancelTask(id=task_id))
        assert (await queue.ask(RetryTask(id=task_id))).state is TaskState.DELAYED
        with pytest.raises(InvalidTaskState, match="cancelled handler may run until"):
            await queue.ask(PromoteTask(id=task_id))
        await queue.sql("update tasks set lease_until = now()")
        assert (await queue.ask(PromoteTask(id=task_id))).state is TaskState.PENDING


async def test_a_repeated_failure_is_not_stale(database: str) -> None:
    """The first answer may have been lost."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        (lease,) = await queue.claim()
        failure = FailTask(id=task_id, token=lease.token, error="no", permanent=True)
        assert await queue.ask(failure) is TaskState.FAILED
        assert await queue.ask(failure) is TaskState.FAILED
        assert len(await queue.ask(AttemptsQuery(id=task_id))) == 1
        with pytest.raises(StaleToken):
            await queue.ask(replace(failure, token=lease.token + 1))


async def test_explain_shows_that_all_slots_are_busy(database: str) -> None:
    """Then no limit of the queue holds the task back."""
    async with open_queue(database) as queue:
        await queue.add(work(), work())
        leases = await queue.claim(limit=1)
        held = tuple((lease.task.id, lease.token) for lease in leases)
        (waiting,) = await queue.add(work())
        for concurrency, reasons in (
            (1, [ReasonKind.NO_FREE_SLOT, ReasonKind.QUEUED_BEHIND]),
            (2, [ReasonKind.QUEUED_BEHIND]),
        ):
            await queue.ask(RenewLeases(owner="me", types=("work",), leases=held, concurrency=concurrency))
            explained = await queue.ask(ExplainQuery(id=waiting))
            assert [reason.kind for reason in explained.reasons] == reasons
        await queue.ask(RenewLeases(owner="me", types=("work",), leases=held, concurrency=1))
        (reason, _) = (await queue.ask(ExplainQuery(id=waiting))).reasons
        assert (reason.text, reason.by) == ("all 1 worker slots for work are busy", ("me",))


async def test_a_lock_delays_only_the_request_that_needs_it(database: str) -> None:
    """Others of the same batch succeed, leases are renewed, and the queue stays available."""
    async with open_queue(database) as queue:
        locked, free = await queue.add(work(), work())
        (lease,) = await queue.claim(limit=1)
        with psycopg.connect(database) as operator:
            operator.execute("select from tasks where id = %s for update", [free])
            async with trio.open_nursery() as nursery:

                async def cancel() -> None:
                    with pytest.raises(QueueUnavailable, match="CancelTask timed out"):
                        await queue.ask(CancelTask(id=free))

                nursery.start_soon(cancel)
                nursery.start_soon(queue.add, work(idempotency_key="k"))
                renewed = await queue.ask(
                    RenewLeases(owner="me", types=("work",), leases=((locked, lease.token),))
                )
                assert renewed.lost == frozenset()
            operator.rollback()
        assert await queue.state(free) is TaskState.PENDING
        assert queue.system.snapshot().children[0].detail["unavailable"] is None


async def test_limits_of_another_type_do_not_slow_a_claim(database: str) -> None:
    """And hold for their own type."""
    async with open_queue(database) as queue:
        await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="other", max_running=1))
        await queue.add(work(), work(), work(type="other"), work(type="other"))
        assert len(await queue.claim("work")) == 2
        assert len(await queue.claim("other")) == 1
        with pytest.raises(InvalidTask, match="'BAD NAME' is not a task type"):
            await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="BAD NAME", rate=1))
