"""Works on tasks: claims as much as there is room for, and reports what became of each."""

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

SHORT: Final = 0.02
"""Tasks of fewer seconds are claimed ahead, so that no slot is empty while a claim is under way."""
LAST_WORDS: Final = 1.0
"""Seconds for giving back what was under way at a stop."""
AHEAD: Final = 3
"""Times the slots: so many short tasks are claimed ahead, at most."""


class Workers(Actor[Never]):
    """Runs the handlers of this instance, so many at once.

    Types whose `Gate` is closed are not claimed, and begin at once when it
    opens. A handler ends for true when its task is cancelled or its lease is
    lost: its cancel scope is. Leases are renewed after a third of their
    length; while the queue is away, work goes on until the lease has run out.
    What a handler achieved is reported until the queue has taken it.

    At a stop, and when it fails, what was under way is given back as if it had
    never been begun. ``owner`` must be another one in each incarnation of each
    instance: what could not be given back comes back when its lease has run out.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        queue: Address[QueueMessage],
        bus: Bus,
        *,
        owner: str,
        slots: int,
        lease_seconds: float,
        poll_seconds: float,
    ) -> None:
        self._handlers = dict(handlers)
        self._openings = GateWatcher(handlers)
        self._queue = queue
        self._bus = bus
        self._owner = owner
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._reports = ResultReporter(queue, self)
        self._runs: dict[UUID, Execution] = {}
        """All that we have a lease for, at work or about to be."""
        self._ready: deque[Execution] = deque()
        self._idle = trio.lowlevel.ParkingLot()
        self._news = trio.Event()
        """There may be something to claim."""
        self._keep = trio.Event()
        """Leases are to be renewed now: one may be lost, or others are to hear which types we take."""
        self._mean = 1.0
        """Seconds that a task takes, the latest counting most."""

    async def started(self) -> None:
        self.context.detail.update(
            owner=self._owner, slots=self._slots, running=0, completed=0, failed=0, lost=0
        )
        nursery = self.context.nursery
        await nursery.start(self._listen)
        await nursery.start(self._openings.follow, self._turn)
        for _ in range(self._slots):
            nursery.start_soon(self._work)
        nursery.start_soon(self._reports.report)
        nursery.start_soon(self._renew)
        nursery.start_soon(self._claim)

    async def stopped(self, reason: Exit) -> None:
        with trio.move_on_after(LAST_WORDS):
            await self._reports.last_words([run for run in self._runs.values() if run.ours])

    def forget(self, run: Execution) -> None:
        """It is reported; its place is free."""
        if self._runs.get(run.task.id) is run:
            del self._runs[run.task.id]
        self.context.detail["running"] = len(self._runs)
        self._news.set()

    def count(self, **more: int) -> None:
        """So many more have ended in each way."""
        self.context.count(**more)

    # Claiming

    async def _listen(self, task_status: trio.TaskStatus[None]) -> None:
        kinds = (TaskAdded, TaskRetried, TaskCancelled, TaskCompleted, TaskFailed)
        with self._bus.subscribe(*kinds, QueueChanged, RemoteQueueChanged, capacity=1024) as events:
            task_status.started()
            async for event in events:
                match event:
                    case TaskCancelled(ids=ids):
                        self._give_up(ids)
                    case RemoteQueueChanged(cancelled=ids) if not self._runs.keys().isdisjoint(ids):
                        # Perhaps we got one anew since: which are lost is asked.
                        self._keep.set()
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
                # The end of one task may free a place under a limit, too.
                self._news.set()

    def _turn(self) -> None:
        self._news.set()
        self._keep.set()

    async def _claim(self) -> None:
        while True:
            # Whatever happens from here on is news to the look that now begins.
            self._news = trio.Event()
            room = self._room()
            types = self._openings.types
            claimed = await self._take(room, types) if room > 0 and types else 0
            if claimed < room or not types or room <= 0:
                with trio.move_on_after(self._poll_seconds):
                    await self._news.wait()

    def _room(self) -> int:
        if self._mean >= SHORT:
            return self._slots - len(self._runs)
        # A claim costs a commit. Where they follow each other closely, half of what we hold is
        # worked on while the other half is claimed.
        total = self._slots * (1 + AHEAD)
        return total // 2 if total - len(self._runs) >= total // 2 else 0

    async def _take(self, room: int, types: tuple[str, ...]) -> int:
        asked = trio.current_time()
        claim = ClaimTasks(owner=self._owner, types=types, limit=room)
        try:
            leases = await self._queue.ask(claim, timeout=min(ASK_TIMEOUT, self._lease_seconds))
        except (AskFailed, QueueUnavailable):
            await trio.sleep(RETRY_SECONDS)
            return 0
        for lease in leases:
            run = Execution(lease=lease, queue=self._queue, until=asked + self._lease_seconds)
            self._runs[lease.task.id] = run
            self._ready.append(run)
        self._idle.unpark(count=len(leases))
        self.context.detail["running"] = len(self._runs)
        return len(leases)

    # Working

    async def _work(self) -> None:
        """One slot."""
        while True:
            while not self._ready:
                await self._idle.park()
            await self._attempt(self._ready.popleft())

    async def _attempt(self, run: Execution) -> None:
        task = run.task
        begun = trio.current_time()
        run.scope.deadline = begun + task.timeout_seconds
        failure: FailTask | None = None
        try:
            # A gate may have closed after the claim.
            if (closed := self._openings.why_closed(task.type)) is not None:
                raise Snooze(closed)
            with run.scope:
                result = await self._handlers[task.type](run)
                if run.ours:
                    self._reports.complete(run, result)
                    return
        except PermanentFailure as error:
            failure = run.failure(error, permanent=True)
        except RetryAfter as error:
            failure = run.failure(error, retry_after=error.seconds)
        except Snooze as error:
            # Where the gate is closed it cannot come straight back to us.
            wait = error.seconds if self._openings.why_closed(task.type) is None else 0.0
            failure = run.failure(str(error), retry_after=wait, counts=False)
        except (Exception, SystemExit) as error:  # the handler's own: that is what attempts are for
            failure = run.failure(error)
        except BaseExceptionGroup as group:  # the same out of a nursery of its own
            _, others = group.split((Exception, SystemExit))
            if others is not None:
                raise
            failure = run.failure(group)
        finally:
            self._mean += (trio.current_time() - begun - self._mean) / 16
        if not run.ours:
            self.forget(run)
        else:
            late = f"it took longer than {task.timeout_seconds:g} s"
            await self._reports.fail(run, failure or run.failure(late))

    # Keeping

    async def _renew(self) -> None:
        """Keep the leases, and say which types we take, for ever."""
        while True:
            self._keep = trio.Event()
            asked = trio.current_time()
            runs = list(self._runs.values())
            request = RenewLeases(
                owner=self._owner,
                types=self._openings.types,
                leases=tuple((run.task.id, run.lease.token) for run in runs),
                closed=self._openings.closed,
                slots=self._slots,
            )
            try:
                renewed = await self._queue.ask(request, timeout=self._lease_seconds / 3)
            except (AskFailed, QueueUnavailable):
                pause = min(RETRY_SECONDS, self._lease_seconds / 10)
            else:
                for run in runs:
                    run.until = asked + renewed.seconds
                self._lose(run for run in runs if run.task.id in renewed.lost)
                pause = self._lease_seconds / 3
            # Somebody else may have them from now on.
            now = trio.current_time()
            self._lose([run for run in self._runs.values() if run.until <= now])
            soonest = min((run.until for run in self._runs.values()), default=math.inf)
            with trio.move_on_at(min(now + pause, soonest)):
                await self._keep.wait()

    def _lose(self, runs: Iterable[Execution]) -> None:
        for run in runs:
            # One that was reported meanwhile is not lost but done.
            if self._runs.get(run.task.id) is run and run.ours:
                self._drop(run)
                self.count(lost=1)

    def _give_up(self, ids: Iterable[UUID]) -> None:
        for task_id in ids:
            run = self._runs.get(task_id)
            if run is not None:
                self._drop(run)

    def _drop(self, run: Execution) -> None:
        run.give_up()
        if run in self._ready:
            self._ready.remove(run)
            self.forget(run)
