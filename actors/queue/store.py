"""What each message does to the record, in a transaction of the caller's. Blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias
from uuid import UUID

from runtime import Refusal

from ..records.connection import Link
from . import sql
from .adding import Kinds, Seed, check_key, check_type, grow, rows, to_json
from .events import (
    QueueChanged,
    TaskAdded,
    TaskCancelled,
    TaskCompleted,
    TaskDied,
    TaskFailed,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
)
from .messages import (
    Added,
    AddTasks,
    BackoffKind,
    CancelTask,
    ClaimTasks,
    CompleteTasks,
    DedupMode,
    FailTask,
    InvalidTask,
    Lease,
    LimitScope,
    LimitTasks,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    Renewed,
    RenewLeases,
    ReportLog,
    ReportProgress,
    ReprioritizeTask,
    ResumeTasks,
    RetryRule,
    RetryTask,
    StaleToken,
    TaskState,
    TaskStateForbids,
    TaskView,
)
from .priority import HIGHEST, LOWEST
from .retry import Failure, next_wait
from .sql import Row, fetch, numbers, task_view, texts, uuids
from .states import Step, allows, require

Publish: TypeAlias = Callable[[object], None]
"""Takes the events that are published once the transaction is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the settings say."""

    lease_seconds: float
    max_stalls: int
    age: int
    """Microseconds of waiting that are worth one step of priority."""


class Store:
    """The queue in the database, as one transaction sees it."""

    def __init__(self, link: Link, policy: Policy, random: Random, publish: Publish) -> None:
        self._link = link
        self._policy = policy
        self._random = random
        self._publish = publish
        self._age: dict[str, object] = {"age": policy.age}

    # Adding

    def add(self, requests: Sequence[AddTasks]) -> list[tuple[Added, ...] | Refusal]:
        """Add the tasks of many requests in one statement; an invalid one is refused for itself."""
        kinds = Kinds()
        grown: list[list[list[Seed]] | InvalidTask] = []
        for request in requests:
            try:
                trees = grow(request.tasks)
                for tree in trees:
                    check_key(tree[0].task)
                    for seed in tree:
                        kinds.place(seed.task)
                grown.append(trees)
            except InvalidTask as refusal:
                grown.append(refusal)
        trees = [tree for trees in grown if not isinstance(trees, InvalidTask) for tree in trees]
        earlier = self._earlier(
            [(key, tree[0]) for tree in trees if (key := tree[0].task.idempotency_key) is not None]
        )
        planted = [seed for tree in trees if tree[0].id not in earlier for seed in tree]
        if planted:
            fetch(self._link, sql.ADD, {**rows(planted, kinds), **self._age})
            delays = [seed.task.delay_seconds for seed in planted if seed.task.delay_seconds > 0]
            self._publish(
                TaskAdded(
                    ids=tuple(seed.id for seed in planted),
                    types=frozenset({seed.task.type for seed in planted}),
                    due_in=min(delays, default=None),
                )
            )
        return [
            trees
            if isinstance(trees, InvalidTask)
            else tuple(
                Added(id=earlier.get(tree[0].id, tree[0].id), created=tree[0].id not in earlier)
                for tree in trees
            )
            for trees in grown
        ]

    def _earlier(self, keyed: Sequence[tuple[str, Seed]]) -> dict[UUID, UUID]:
        """Of the seeds whose keys are taken: the ids of the tasks that have them."""
        earlier: dict[UUID, UUID] = {}
        first: dict[str, Seed] = {}
        for key, seed in keyed:
            if key in first:
                earlier[seed.id] = first[key].id
            elif seed.task.dedup is not DedupMode.DEBOUNCE:
                first[key] = seed
            elif (replaced := self._debounce(key, seed)) is not None:
                earlier[seed.id] = replaced
        if first:
            taken = {
                key
                for (key,) in fetch(
                    self._link,
                    sql.TAKE_KEYS,
                    {
                        "keys": texts(list(first)),
                        "ids": uuids(seed.id for seed in first.values()),
                        "seconds": numbers(
                            seed.task.dedup_seconds if seed.task.dedup is DedupMode.THROTTLE else None
                            for seed in first.values()
                        ),
                    },
                )
            }
            lost = [key for key in first if key not in taken]
            for key, task_id in fetch(self._link, sql.KEYS_OF, {"keys": texts(lost)}) if lost else []:
                earlier[first[key].id] = task_id
            # Later ones in this batch with the same key go where the first one went.
            for seed_id, task_id in list(earlier.items()):
                earlier[seed_id] = earlier.get(task_id, task_id)
        return earlier

    def _debounce(self, key: str, seed: Seed) -> UUID | None:
        found = fetch(
            self._link,
            sql.DEBOUNCE,
            {"key": key, "data": seed.data, "seconds": seed.task.dedup_seconds, **self._age},
        )
        if found:
            task_id: UUID = found[0][0]
            self._publish(TaskRetried(ids=(task_id,), due_in=seed.task.dedup_seconds))
            return task_id
        self._link.execute(sql.PUT_KEY, {"key": key, "id": seed.id})
        return None

    # Claiming

    def claim(self, request: ClaimTasks) -> tuple[Lease, ...]:
        """Take the tasks that come first among those that nothing holds back."""
        fetch(self._link, sql.LOCK_LIMITS)
        claimed = fetch(
            self._link,
            sql.CLAIM,
            {
                "types": texts(request.types),
                "limit": request.limit,
                "owner": request.owner,
                "lease": self._policy.lease_seconds,
            },
        )
        if not claimed:
            return ()
        leases = tuple(
            Lease(task=task, token=task.token, until=task.lease_until)
            for task in map(task_view, claimed)
            if task.lease_until is not None
        )
        self._publish(TaskStarted(ids=tuple(lease.task.id for lease in leases), owner=request.owner))
        return leases

    # What the holder of a lease writes

    def complete(self, requests: Sequence[CompleteTasks]) -> list[frozenset[UUID] | Refusal]:
        """Record results; the ids that were stale are the replies."""
        replies: list[frozenset[UUID] | Refusal] = []
        results: dict[tuple[UUID, int], str] = {}
        for request in requests:
            try:
                results.update({(one.id, one.token): to_json(one.result) for one in request.completions})
                replies.append(frozenset(one.id for one in request.completions))
            except InvalidTask as refusal:
                replies.append(refusal)
        if not results:
            return replies
        ids, tokens = uuids(task_id for task_id, _ in results), numbers(token for _, token in results)
        done = fetch(
            self._link, sql.COMPLETE, {"ids": ids, "tokens": tokens, "results": texts(list(results.values()))}
        )
        completed = tuple(task_id for task_id, _ in done)
        good = set(completed)
        if len(done) < len(results):
            good.update(
                task_id
                for (task_id,) in fetch(self._link, sql.COMPLETED_ALREADY, {"ids": ids, "tokens": tokens})
            )
        if completed:
            self._publish(TaskCompleted(ids=completed))
        self._settle(parent for _, parent in done)
        return [reply if isinstance(reply, Refusal) else reply - good for reply in replies]

    def fail(self, requests: Sequence[FailTask]) -> list[TaskState | Refusal]:
        """Record failures, each with the wait that its rule gives."""
        found = {
            (row[0], row[1]): row
            for row in fetch(self._link, sql.FAILING, {"ids": uuids(request.id for request in requests)})
        }
        failing = {(request.id, request.token): request for request in requests}
        waits = {key: self._wait(found[key], request) for key, request in failing.items() if key in found}
        states: dict[UUID, TaskState] = {}
        if waits:
            failed = fetch(
                self._link,
                sql.FAIL,
                {
                    "ids": uuids(task_id for task_id, _ in waits),
                    "errors": texts([plain(failing[key].error) for key in waits]),
                    "waits": numbers(waits.values()),
                    **self._age,
                },
            )
            states = {task_id: TaskState(state) for task_id, state, _ in failed}
            for (task_id, _), request in failing.items():
                if states.get(task_id) is TaskState.FAILED:
                    self._publish(TaskFailed(ids=(task_id,), error=request.error))
            again = tuple(task_id for task_id, state in states.items() if state is not TaskState.FAILED)
            if again:
                due = min(wait for wait in waits.values() if wait is not None)
                self._publish(TaskRetried(ids=again, due_in=due))
            self._settle(parent for _, state, parent in failed if state == TaskState.FAILED)
        return [
            states[request.id] if (request.id, request.token) in waits else stale(request.id)
            for request in requests
        ]

    def _wait(self, row: Row, request: FailTask) -> float | None:
        _, _, attempts, most, kind, seconds, jitter, maximum = row
        rule = RetryRule(
            kind=BackoffKind(kind),
            seconds=seconds,
            jitter=jitter,
            maximum_seconds=maximum,
        )
        return next_wait(
            Failure(permanent=request.permanent, retry_after=request.retry_after),
            rule,
            attempts=attempts,
            max_attempts=most,
            chance=self._random.random(),
        )

    def progress(self, requests: Sequence[ReportProgress]) -> list[Refusal | None]:
        """Record how far tasks are; of several reports on one task the last counts."""
        latest = {(request.id, request.token): min(100.0, max(0.0, request.progress)) for request in requests}
        done = fetch(
            self._link,
            sql.PROGRESS,
            {
                "ids": uuids(task_id for task_id, _ in latest),
                "tokens": numbers(token for _, token in latest),
                "progress": numbers(latest.values()),
            },
        )
        known: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
        if known:
            ids = tuple(task_id for task_id, _ in known)
            self._publish(TaskProgressed(ids=ids, progress=tuple(latest[key] for key in known)))
        return [None if (request.id, request.token) in known else stale(request.id) for request in requests]

    def log(self, requests: Sequence[ReportLog]) -> list[Refusal | None]:
        """Keep log lines."""
        done = fetch(
            self._link,
            sql.LOG,
            {
                "ids": uuids(request.id for request in requests),
                "tokens": numbers(request.token for request in requests),
                "levels": texts([plain(request.level) for request in requests]),
                "messages": texts([plain(request.message) for request in requests]),
            },
        )
        known: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
        return [None if (request.id, request.token) in known else stale(request.id) for request in requests]

    def renew(self, request: RenewLeases) -> Renewed:
        """Keep the owner's leases; those that it has no more are lost."""
        ids = [task_id for task_id, _ in request.leases]
        fetch(self._link, sql.SEEN, {"owner": request.owner, "types": texts(request.types)})
        kept = (
            fetch(
                self._link,
                sql.RENEW,
                {
                    "ids": uuids(ids),
                    "tokens": numbers(token for _, token in request.leases),
                    "owner": request.owner,
                    "lease": self._policy.lease_seconds,
                },
            )
            if ids
            else []
        )
        return Renewed(
            seconds=self._policy.lease_seconds,
            lost=frozenset(ids) - {task_id for (task_id,) in kept},
        )

    # What operators do to one task

    def cancel(self, request: CancelTask) -> TaskView:
        """Cancel the task and what it waits for."""
        family = fetch(self._link, sql.LOCK_FAMILY, {"id": request.id})
        states = {task_id: TaskState(state) for task_id, state, _ in family}
        if request.id not in states:
            raise no_such_task(request.id)
        require(Step.CANCEL, states[request.id])
        ids = [task_id for task_id, state in states.items() if allows(Step.CANCEL, state)]
        fetch(self._link, sql.CANCEL, {"ids": uuids(ids), "reason": plain(request.reason)})
        self._publish(TaskCancelled(ids=tuple(ids)))
        self._settle(parent for task_id, _, parent in family if task_id == request.id)
        return self._task(request.id)

    def retry(self, request: RetryTask) -> TaskView:
        """Begin anew."""
        require(Step.RETRY, self._task(request.id).state)
        data = None if request.data is None else to_json(request.data)
        (row,) = fetch(self._link, sql.RETRY, {"id": request.id, "data": data, **self._age})
        self._publish(TaskRetried(ids=(request.id,), due_in=0.0))
        return task_view(row)

    def promote(self, request: PromoteTask) -> TaskView:
        """Let a delayed task run now."""
        task = self._task(request.id)
        require(Step.PROMOTE, task.state)
        if task.run_at is None:
            raise TaskStateForbids("cannot promote a task that waits for its children")
        (row,) = fetch(self._link, sql.PROMOTE, {"id": request.id, **self._age})
        self._publish(TaskRetried(ids=(request.id,), due_in=None))
        return task_view(row)

    def reprioritize(self, request: ReprioritizeTask) -> TaskView:
        """Move a task to where it would be, had it had this priority from the start."""
        if not LOWEST <= request.priority <= HIGHEST:
            raise InvalidTask(f"priority {request.priority} is not from {LOWEST} to {HIGHEST}")
        require(Step.REPRIORITIZE, self._task(request.id).state)
        parameters: dict[str, object] = {"id": request.id, "priority": request.priority}
        (row,) = fetch(self._link, sql.REPRIORITIZE, {**parameters, **self._age})
        return task_view(row)

    # What operators do to many

    def pause(self, request: PauseTasks | ResumeTasks) -> None:
        """Hold back claims, or no longer."""
        if request.type is not None:
            check_type(request.type)
        scope = LimitScope.ALL if request.type is None else LimitScope.TYPE
        parameters: dict[str, object] = {"scope": scope.value, "name": request.type or ""}
        paused = isinstance(request, PauseTasks)
        fetch(self._link, sql.PAUSE, {**parameters, "paused": paused})
        fetch(self._link, sql.FORGET_LIMIT, parameters)
        self._publish(QueueChanged())

    def limit(self, request: LimitTasks) -> None:
        """Set or lift the limits of a type, a group or all."""
        if (request.scope is LimitScope.ALL) != (not request.name):
            raise InvalidTask("a limit of all tasks has no name, any other has one")
        if any(
            most is not None and not 1 <= most <= 1_000_000 for most in (request.max_running, request.rate)
        ):
            raise InvalidTask("a limit is from 1 to 1000000")
        if not 0.001 <= request.rate_seconds <= 86_400:
            raise InvalidTask("rate_seconds is from 0.001 to 86400")
        parameters: dict[str, object] = {"scope": request.scope.value, "name": request.name}
        values = {"most": request.max_running, "rate": request.rate, "seconds": request.rate_seconds}
        fetch(self._link, sql.LIMIT, {**parameters, **values})
        fetch(self._link, sql.FORGET_LIMIT, parameters)
        if request.scope is LimitScope.GROUP:
            limited = request.max_running is not None or request.rate is not None
            fetch(self._link, sql.LABEL, {"name": request.name, "lane": request.name if limited else ""})
        self._publish(QueueChanged())

    # Upkeep

    def reap(self, limit: int) -> int:
        """Take tasks back whose leases ran out; returns how many those were."""
        expired = fetch(self._link, sql.REAP, {"limit": limit, "max_stalls": self._policy.max_stalls})
        again = tuple(task_id for task_id, state, _ in expired if state == TaskState.PENDING)
        dead = tuple(task_id for task_id, state, _ in expired if state == TaskState.DEAD)
        if again:
            self._publish(TaskRetried(ids=again))
        if dead:
            self._publish(TaskDied(ids=dead))
            self._settle(parent for _, state, parent in expired if state == TaskState.DEAD)
        return len(expired)

    def ripen(self, limit: int) -> int:
        """Make tasks pending whose time has come; returns how many those were."""
        ripe = fetch(self._link, sql.RIPEN, {"limit": limit})
        if ripe:
            self._publish(TaskRetried(ids=tuple(task_id for (task_id,) in ripe)))
        return len(ripe)

    def _settle(self, parents: Iterable[UUID | None]) -> None:
        """Let parents begin, or fail, whose children have come so far; and theirs after them."""
        waiting = {parent for parent in parents if parent is not None}
        while waiting:
            locked = fetch(self._link, sql.LOCK_PARENTS, {"ids": uuids(waiting)})
            if not locked:
                return
            ids = uuids(task_id for (task_id,) in locked)
            settled = fetch(self._link, sql.SETTLE_PARENTS, {"ids": ids, **self._age})
            failed = [row for row in settled if row[1] == TaskState.FAILED]
            freed = tuple(row[0] for row in settled if row[1] == TaskState.PENDING)
            if failed:
                ids_failed = tuple(row[0] for row in failed)
                self._publish(TaskFailed(ids=ids_failed, error="a task that it waited for did not complete"))
            if freed:
                self._publish(TaskRetried(ids=freed))
            waiting = {row[2] for row in failed if row[2] is not None}

    def _task(self, task_id: UUID) -> TaskView:
        found = fetch(self._link, sql.LOCK_TASK, {"id": task_id})
        if not found:
            raise no_such_task(task_id)
        return task_view(found[0])


def plain(text: str) -> str:
    """A text that the record can hold: an error's words must not be what keeps it from being recorded."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:20_000]


def stale(task_id: UUID) -> StaleToken:
    return StaleToken(f"task {task_id} is not yours any more; nothing was written")


def no_such_task(task_id: UUID) -> NoSuchTask:
    return NoSuchTask(f"there is no task {task_id} on record")
