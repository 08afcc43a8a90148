"""The workers of an instance: claim tasks up to a concurrency, run their handlers, report the results."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, Never
from uuid import UUID

import trio

from runtime import Actor, Address, AskFailed, Bus, Exit

from ..events import (
    QueueChanged,
    RemoteQueueChanged,
    TaskAdded,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
)
from ..messages import ClaimTasks, FailTask, QueueMessage, QueueUnavailable, RenewLeases
from .execution import ASK_TIMEOUT, Execution
from .gate_watcher import GateWatcher
from .handler import Handler, PermanentFailure, RetryAfter, Snooze
from .result_reporter import RETRY_SECONDS, ResultReporter

SHORT_TASK_SECONDS: Final = 0.02
"""Shorter tasks are prefetched, so that no slot is idle while a claim is in progress."""
FLUSH_TIMEOUT: Final = 1.0
"""Seconds for the last reports when the actor stops."""
PREFETCH: Final = 3
"""Most prefetched short tasks, as a multiple of the concurrency."""


class Workers(Actor[Never]):
    """Runs the handlers of this instance, at most ``concurrency`` at once.

    Types whose `Gate` is closed are not claimed; when it opens they are claimed
    at once. When a task is cancelled or its lease is lost, the cancel scope of
    its handler is cancelled. Leases are renewed after a third of their length;
    while the queue is unavailable, handlers continue until the lease expires.
    Results are reported until the queue has saved them.

    At a stop, and when the actor fails, unfinished tasks are requeued and their
    attempts do not count. ``owner`` must be unique to each incarnation of each
    instance: a task that could not be requeued returns when its lease expires.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        queue: Address[QueueMessage],
        bus: Bus,
        *,
        owner: str,
        concurrency: int,
        lease_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._handlers = dict(handlers)
        self._gates = GateWatcher(handlers)
        self._queue = queue
        self._bus = bus
        self._owner = owner
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._reporter = ResultReporter(queue, self)
        self._executions: dict[UUID, Execution] = {}
        """Every lease that we hold, running or ready."""
        self._ready: deque[Execution] = deque()
        self._idle_slots = trio.lowlevel.ParkingLot()
        self._claim_now = trio.Event()
        """Set when there may be tasks to claim."""
        self._renew_now = trio.Event()
        """Set when leases must be renewed early: one may be lost, or the accepted types changed."""
        self._mean_seconds = 1.0
        """Moving average of the duration of tasks."""

    async def started(self) -> None:
        self.context.detail.update(
            owner=self._owner, concurrency=self._concurrency, running=0, completed=0, failed=0, lost=0
        )
        nursery = self.context.nursery
        await nursery.start(self._listen)
        await nursery.start(self._gates.watch, self._on_gate_change)
        for _ in range(self._concurrency):
            nursery.start_soon(self._run_slot)
        nursery.start_soon(self._reporter.report)
        nursery.start_soon(self._renew)
        nursery.start_soon(self._claim)

    async def stopped(self, reason: Exit) -> None:
        with trio.move_on_after(FLUSH_TIMEOUT):
            await self._reporter.flush(
                [execution for execution in self._executions.values() if execution.held]
            )

    def release(self, execution: Execution) -> None:
        """Remove a reported execution; its slot is free."""
        if self._executions.get(execution.task.id) is execution:
            del self._executions[execution.task.id]
        self.context.detail["running"] = len(self._executions)
        self._claim_now.set()

    def count(self, **numbers: int) -> None:
        """Add to the counters of finished executions."""
        self.context.count(**numbers)

    # Claiming

    async def _listen(self, task_status: trio.TaskStatus[None]) -> None:
        task_events = (TaskAdded, TaskRetried, TaskCancelled, TaskCompleted, TaskFailed)
        with self._bus.subscribe(*task_events, QueueChanged, RemoteQueueChanged, capacity=1024) as events:
            task_status.started()
            async for event in events:
                match event:
                    case TaskCancelled(ids=ids):
                        self._revoke(ids)
                    case RemoteQueueChanged(cancelled=ids) if not self._executions.keys().isdisjoint(ids):
                        # We may have claimed one again since: the renewal tells which leases are lost.
                        self._renew_now.set()
                    case _:
                        pass
                match event:
                    case TaskAdded(types=types) if types.isdisjoint(self._handlers):
                        continue
                    case RemoteQueueChanged(types=types) if types is not None and types.isdisjoint(
                        self._handlers
                    ):
                        continue
                    case _:
                        pass
                # The end of a task may also free capacity under a limit.
                self._claim_now.set()

    def _on_gate_change(self) -> None:
        self._claim_now.set()
        self._renew_now.set()

    async def _claim(self) -> None:
        """Claim tasks for the free slots, for ever."""
        while True:
            # An event from here on must lead to another claim after this one.
            self._claim_now = trio.Event()
            limit = self._free_capacity()
            types = self._gates.types
            claimed = await self._claim_tasks(limit, types) if limit > 0 and types else 0
            if claimed < limit or not types or limit <= 0:
                with trio.move_on_after(self._poll_seconds):
                    await self._claim_now.wait()

    def _free_capacity(self) -> int:
        if self._mean_seconds >= SHORT_TASK_SECONDS:
            return self._concurrency - len(self._executions)
        # A claim costs a commit. For short tasks, one half of the leases runs while the other half is
        # claimed.
        total = self._concurrency * (1 + PREFETCH)
        return total // 2 if total - len(self._executions) >= total // 2 else 0

    async def _claim_tasks(self, limit: int, types: tuple[str, ...]) -> int:
        requested_at = trio.current_time()
        claim = ClaimTasks(owner=self._owner, types=types, limit=limit)
        try:
            leases = await self._queue.ask(claim, timeout=min(ASK_TIMEOUT, self._lease_seconds))
        except (AskFailed, QueueUnavailable):
            await trio.sleep(RETRY_SECONDS)
            return 0
        for lease in leases:
            execution = Execution(
                lease=lease, queue=self._queue, lease_deadline=requested_at + self._lease_seconds
            )
            self._executions[lease.task.id] = execution
            self._ready.append(execution)
        self._idle_slots.unpark(count=len(leases))
        self.context.detail["running"] = len(self._executions)
        return len(leases)

    # Executing

    async def _run_slot(self) -> None:
        """Run one slot, for ever."""
        while True:
            while not self._ready:
                await self._idle_slots.park()
            await self._execute(self._ready.popleft())

    async def _execute(self, execution: Execution) -> None:
        task = execution.task
        started_at = trio.current_time()
        execution.scope.deadline = started_at + task.timeout_seconds
        failure: FailTask | None = None
        try:
            # A gate may have closed after the claim.
            if (reason := self._gates.closed_reason(task.type)) is not None:
                raise Snooze(reason)
            with execution.scope:
                result = await self._handlers[task.type](execution)
                if execution.held:
                    self._reporter.complete(execution, result)
                    return
        except PermanentFailure as error:
            failure = execution.failure(error, permanent=True)
        except RetryAfter as error:
            failure = execution.failure(error, retry_after=error.seconds)
        except Snooze as error:
            # With a closed gate the task cannot return to us at once, so no wait is needed.
            wait = error.seconds if self._gates.closed_reason(task.type) is None else 0.0
            failure = execution.failure(str(error), retry_after=wait, counts=False)
        except (Exception, SystemExit) as error:  # of the handler: fails this attempt only
            failure = execution.failure(error)
        except BaseExceptionGroup as group:  # the same, from a nursery of the handler
            _, others = group.split((Exception, SystemExit))
            if others is not None:
                raise
            failure = execution.failure(group)
        finally:
            self._mean_seconds += (trio.current_time() - started_at - self._mean_seconds) / 16
        if not execution.held:
            self.release(execution)
        else:
            timeout = f"timed out after {task.timeout_seconds:g} s"
            await self._reporter.fail(execution, failure or execution.failure(timeout))

    # Renewing

    async def _renew(self) -> None:
        """Renew the leases and send the heartbeat, for ever."""
        while True:
            self._renew_now = trio.Event()
            requested_at = trio.current_time()
            executions = list(self._executions.values())
            request = RenewLeases(
                owner=self._owner,
                types=self._gates.types,
                leases=tuple((execution.task.id, execution.lease.token) for execution in executions),
                unavailable_types=self._gates.unavailable_types,
                concurrency=self._concurrency,
            )
            try:
                renewed = await self._queue.ask(request, timeout=self._lease_seconds / 3)
            except (AskFailed, QueueUnavailable):
                pause = min(RETRY_SECONDS, self._lease_seconds / 10)
            else:
                for execution in executions:
                    execution.lease_deadline = requested_at + renewed.seconds
                self._lose(execution for execution in executions if execution.task.id in renewed.lost)
                pause = self._lease_seconds / 3
            # Expired leases may be claimed by others from now on.
            now = trio.current_time()
            self._lose(
                [execution for execution in self._executions.values() if execution.lease_deadline <= now]
            )
            soonest = min(
                (execution.lease_deadline for execution in self._executions.values()), default=math.inf
            )
            with trio.move_on_at(min(now + pause, soonest)):
                await self._renew_now.wait()

    def _lose(self, executions: Iterable[Execution]) -> None:
        for execution in executions:
            # An execution that was reported meanwhile is finished, not lost.
            if self._executions.get(execution.task.id) is execution and execution.held:
                self._drop(execution)
                self.count(lost=1)

    def _revoke(self, ids: Iterable[UUID]) -> None:
        for task_id in ids:
            execution = self._executions.get(task_id)
            if execution is not None:
                self._drop(execution)

    def _drop(self, execution: Execution) -> None:
        execution.revoke()
        if execution in self._ready:
            self._ready.remove(execution)
            self.release(execution)
