"""Works on tasks: claims as much as there is room for, and reports what became of each."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Never, TypeVar
from uuid import UUID

import trio

from runtime import Actor, Address, AskFailed, Bus, Request

from .events import QueueChanged, TaskAdded, TaskCancelled, TaskCompleted, TaskEvent, TaskFailed, TaskRetried
from .handler import Handler, PermanentFailure, TryLater
from .messages import (
    ClaimTasks,
    CompleteTasks,
    Completion,
    FailTask,
    InvalidTask,
    Lease,
    QueueAway,
    QueueMessage,
    RenewLeases,
    ReportLog,
    ReportProgress,
    StaleToken,
    TaskView,
)

R = TypeVar("R")

ASK_TIMEOUT: Final = 10.0
"""Seconds for one request to the queue; what matters is asked again."""
SHORT: Final = 0.02
"""Tasks of fewer seconds are claimed ahead, so that no slot is empty while a claim is under way."""
AHEAD: Final = 3
"""Times the slots: so many short tasks are claimed ahead, at most."""
_RETRY_SECONDS: Final = 0.1
_MOST_RESULTS: Final = 500


@dataclass(slots=True, kw_only=True, eq=False)
class _Run:
    """One task in our hands; what its handler sees as its `Attempt`."""

    lease: Lease
    queue: Address[QueueMessage]
    until: float
    """Until then, on trio's clock, it is surely ours."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ours: bool = True

    @property
    def task(self) -> TaskView:
        return self.lease.task

    async def progress(self, percent: float) -> None:
        if not math.isfinite(percent):
            raise ValueError(f"progress is from 0 to 100, not {percent}")
        report = ReportProgress(id=self.task.id, token=self.lease.token, progress=percent)
        await self.queue.ask(report, timeout=ASK_TIMEOUT)

    async def log(self, message: str, *, level: str = "info") -> None:
        line = ReportLog(id=self.task.id, token=self.lease.token, message=message, level=level)
        await self.queue.ask(line, timeout=ASK_TIMEOUT)

    def give_up(self) -> None:
        """It is not ours any more: end the handler, and report nothing."""
        self.ours = False
        self.scope.cancel()


class Workers(Actor[Never]):
    """Runs the handlers of this instance, so many at once.

    A handler ends for true when its task is cancelled or its lease is lost:
    its cancel scope is. Leases are renewed after a third of their length;
    while the queue is away, work goes on until the lease has run out. What a
    handler achieved is reported until the queue has taken it.

    ``owner`` must be another one in each incarnation of each instance: leases
    of the one before run out by themselves.
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
        self._types = tuple(sorted(self._handlers))
        self._queue = queue
        self._bus = bus
        self._owner = owner
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._runs: dict[UUID, _Run] = {}
        """All that we have a lease for, at work or about to be."""
        self._ready: deque[_Run] = deque()
        self._idle = trio.lowlevel.ParkingLot()
        self._completions: list[Completion] = []
        self._completed = trio.Event()
        self._news = trio.Event()
        self._mean = 1.0
        """Seconds that a task takes, the latest counting most."""

    async def started(self) -> None:
        self.context.detail.update(
            owner=self._owner, slots=self._slots, running=0, completed=0, failed=0, lost=0
        )
        nursery = self.context.nursery
        await nursery.start(self._listen)
        for _ in range(self._slots):
            nursery.start_soon(self._work)
        nursery.start_soon(self._report)
        nursery.start_soon(self._renew)
        nursery.start_soon(self._claim)

    # Claiming

    async def _listen(self, task_status: trio.TaskStatus[None]) -> None:
        kinds = (TaskAdded, TaskRetried, TaskCancelled, TaskCompleted, TaskFailed, QueueChanged)
        with self._bus.subscribe(*kinds, capacity=1024) as events:
            task_status.started()
            async for event in events:
                match event:
                    case TaskCancelled(ids=ids):
                        self._give_up(ids)
                    case TaskAdded(types=types) if types.isdisjoint(self._handlers):
                        continue
                    case TaskEvent() | QueueChanged():
                        pass
                    case _:
                        continue
                # The end of one task may free a place under a limit, too.
                self._news.set()

    async def _claim(self) -> None:
        if not self._types:
            return
        while True:
            room = self._room()
            claimed = 0
            if room > 0:
                self._news = trio.Event()
                claimed = await self._take(room)
            if claimed < room or room <= 0:
                with trio.move_on_after(self._poll_seconds):
                    await self._news.wait()

    def _room(self) -> int:
        if self._mean >= SHORT:
            return self._slots - len(self._runs)
        # A claim costs a commit. Where they follow each other closely, half of what we hold is
        # worked on while the other half is claimed.
        total = self._slots * (1 + AHEAD)
        return total // 2 if total - len(self._runs) >= total // 2 else 0

    async def _take(self, room: int) -> int:
        asked = trio.current_time()
        claim = ClaimTasks(owner=self._owner, types=self._types, limit=room)
        try:
            leases = await self._queue.ask(claim, timeout=min(ASK_TIMEOUT, self._lease_seconds))
        except (AskFailed, QueueAway):
            await trio.sleep(_RETRY_SECONDS)
            return 0
        for lease in leases:
            run = _Run(lease=lease, queue=self._queue, until=asked + self._lease_seconds)
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

    async def _attempt(self, run: _Run) -> None:
        task = run.task
        begun = trio.current_time()
        run.scope.deadline = begun + task.timeout_seconds
        outcome: FailTask | Completion | None = None
        try:
            with run.scope:
                result = await self._handlers[task.type](run)
                outcome = Completion(id=task.id, token=run.lease.token, result=result)
        except PermanentFailure as error:
            outcome = self._failure(run, error, permanent=True)
        except TryLater as error:
            outcome = self._failure(run, error, retry_after=error.seconds)
        except Exception as error:  # the handler's own, whatever it is: that is what attempts are for
            outcome = self._failure(run, error)
        if outcome is None and run.ours:
            sentence = f"it took longer than {task.timeout_seconds:g} s"
            outcome = FailTask(id=task.id, token=run.lease.token, error=sentence)
        self._mean += (trio.current_time() - begun - self._mean) / 16
        if not run.ours:
            self._forget(run)
        elif isinstance(outcome, Completion):
            self._completions.append(outcome)
            self._completed.set()
        elif outcome is not None:
            await self._report_failure(run, outcome)

    def _failure(
        self, run: _Run, error: Exception, *, permanent: bool = False, retry_after: float | None = None
    ) -> FailTask:
        text = str(error)
        name = type(error).__name__
        return FailTask(
            id=run.task.id,
            token=run.lease.token,
            error=f"{name}: {text}" if text else name,
            permanent=permanent,
            retry_after=retry_after,
        )

    # Reporting

    async def _report_failure(self, run: _Run, failure: FailTask) -> None:
        try:
            await self._insist(failure, [run])
            self._count(failed=1)
        except StaleToken:
            self._count(lost=1)
        finally:
            self._forget(run)

    async def _report(self) -> None:
        while True:
            await self._completed.wait()
            batch, self._completions = (
                self._completions[:_MOST_RESULTS],
                self._completions[_MOST_RESULTS:],
            )
            if not self._completions:
                self._completed = trio.Event()
            runs = [self._runs[one.id] for one in batch]
            try:
                stale = await self._insist(CompleteTasks(completions=tuple(batch)), runs)
                self._count(completed=len(batch) - len(stale), lost=len(stale))
            except InvalidTask:
                # One of the results is not JSON; each is told apart.
                for one, run in zip(batch, runs, strict=True):
                    await self._report_alone(one, run)
            finally:
                for run in runs:
                    self._forget(run)

    async def _report_alone(self, completion: Completion, run: _Run) -> None:
        try:
            stale = await self._insist(CompleteTasks(completions=(completion,)), [run])
            self._count(completed=1 - len(stale), lost=len(stale))
        except InvalidTask as refusal:
            failure = self._failure(run, refusal, permanent=True)
            await self._report_failure(run, failure)

    async def _insist(self, request: Request[R], runs: Iterable[_Run]) -> R:
        """Ask until there is an answer, for as long as any of the leases may hold.

        Raises:
            StaleToken: they ran out meanwhile.
            Refusal: the queue's own.
        """
        while True:
            try:
                return await self._queue.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, QueueAway):
                if not any(run.ours for run in runs):
                    raise StaleToken("the lease ran out before the queue could be told") from None
                await trio.sleep(_RETRY_SECONDS)

    def _forget(self, run: _Run) -> None:
        if self._runs.get(run.task.id) is run:
            del self._runs[run.task.id]
        self.context.detail["running"] = len(self._runs)
        self._news.set()

    # Keeping

    async def _renew(self) -> None:
        while True:
            asked = trio.current_time()
            runs = list(self._runs.values())
            request = RenewLeases(
                owner=self._owner,
                types=self._types,
                leases=tuple((run.task.id, run.lease.token) for run in runs),
            )
            try:
                renewed = await self._queue.ask(request, timeout=self._lease_seconds / 3)
            except (AskFailed, QueueAway):
                pause = min(_RETRY_SECONDS, self._lease_seconds / 10)
            else:
                for run in runs:
                    run.until = asked + renewed.seconds
                self._lose(run for run in runs if run.task.id in renewed.lost)
                pause = self._lease_seconds / 3
            # Somebody else may have them from now on.
            now = trio.current_time()
            self._lose([run for run in self._runs.values() if run.until <= now])
            soonest = min((run.until for run in self._runs.values()), default=math.inf)
            await trio.sleep_until(min(now + pause, soonest))

    def _lose(self, runs: Iterable[_Run]) -> None:
        for run in runs:
            # One that was reported meanwhile is not lost but done.
            if self._runs.get(run.task.id) is run and run.ours:
                self._drop(run)
                self._count(lost=1)

    def _give_up(self, ids: Iterable[UUID]) -> None:
        for task_id in ids:
            run = self._runs.get(task_id)
            if run is not None:
                self._drop(run)

    def _drop(self, run: _Run) -> None:
        run.give_up()
        if run in self._ready:
            self._ready.remove(run)
            self._forget(run)

    def _count(self, **more: int) -> None:
        detail = self.context.detail
        for key, number in more.items():
            before = detail[key]
            detail[key] = number + (before if isinstance(before, int) else 0)
