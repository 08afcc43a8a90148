"""The order of claims, however the tasks became pending."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import combinations, count
from typing import Final
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.queue.messages import (
    CancelTask,
    DedupMode,
    FailTask,
    Lease,
    LimitScope,
    LimitTasks,
    NewTask,
    PromoteTask,
    ReprioritizeTask,
    RetryRule,
    RetryTask,
    TaskState,
)

from ..queues import SETTINGS, Queue, open_queue, work

AGING_SECONDS: Final = 0.02
"""So short that some tasks of a test overtake others, and some come too late for that."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Way(Enum):
    """How a task becomes pending."""

    ADDED = auto()
    DELAYED = auto()
    DEBOUNCED = auto()
    PROMOTED = auto()
    REPRIORITIZED = auto()
    RELEASED = auto()
    RETRIED = auto()
    FAILED = auto()
    SNOOZED = auto()
    STALLED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A pending task."""

    priority: int
    moment: int
    """The microsecond from which it may run."""

    def overtakes(self, earlier: Arrival) -> bool:
        """Whether it comes before an earlier task: this is all that is promised of the order."""
        bound = (self.priority - earlier.priority) * round(AGING_SECONDS * 1e6)
        return self.moment - earlier.moment < bound


class Arrivals:
    """Creates tasks that become pending in every way, and notes when."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.arrivals: dict[UUID, Arrival] = {}
        self.types = ["work"]
        self._numbers = count()

    async def create(self, way: Way, priority: int) -> None:
        """Create a task that becomes pending this way."""
        ask, task = self.queue.ask, work(priority=priority)
        match way:
            case Way.ADDED:
                for position, one in enumerate(await self.queue.add(task, task), start=1):
                    await self._note(one, priority, position=position)
            case Way.DELAYED:
                (one,) = await self.queue.add(replace(task, delay_seconds=0.03))
                await self._note(one, priority, position=1)
            case Way.DEBOUNCED:
                key = f"key-{next(self._numbers)}"
                task = replace(task, idempotency_key=key, dedup=DedupMode.DEBOUNCE, dedup_seconds=0.01)
                await self.queue.add(task)
                (one,) = await self.queue.add(task)
                await self._note(one, priority)
            case Way.PROMOTED:
                (one,) = await self.queue.add(replace(task, delay_seconds=1000.0))
                await ask(PromoteTask(id=one))
                await self._note(one, priority)
            case Way.REPRIORITIZED:
                (one,) = await self.queue.add(replace(task, priority=1 - priority))
                await ask(ReprioritizeTask(id=one, priority=priority))
                await self._note(one, priority, position=1)
            case Way.RELEASED:
                (one,) = await self.queue.add(replace(task, children=(NewTask(type="child"),)))
                await self.queue.complete(*await self.queue.claim("child"))
                await self._note(one, priority)
            case Way.RETRIED:
                (one,) = await self.queue.add(task)
                await ask(CancelTask(id=one))
                await ask(RetryTask(id=one))
                await self._note(one, priority)
            case Way.FAILED:
                lease = await self._started(task)
                await ask(FailTask(id=lease.task.id, token=lease.token, error="no"))
                await self._note(lease.task.id, priority)
            case Way.SNOOZED:
                # The attempt does not count: the task keeps its rank.
                lease = await self._started(task)
                await self._note(lease.task.id, priority, position=1)
                await ask(FailTask(id=lease.task.id, token=lease.token, error="not now", counts=False))
            case Way.STALLED:
                lease = await self._started(task)
                await self._note(lease.task.id, priority, position=1)
                await self.queue.sql(f"update tasks set lease_until = now() where id = '{lease.task.id}'")

    async def ready(self) -> None:
        """Wait until all tasks are pending."""
        for one in self.arrivals:
            await self.queue.until(one, TaskState.PENDING)

    async def claimed(self, at_once: int) -> list[Arrival]:
        """Claim all tasks, ``at_once`` at a time, and return them in order."""
        claimed: list[Arrival] = []
        while leases := await self.queue.claim(*self.types, limit=at_once):
            claimed += [self.arrivals.pop(lease.task.id) for lease in leases]
        assert not self.arrivals
        return claimed

    async def _started(self, task: NewTask) -> Lease:
        # With a type of its own, so that it can be claimed before the others.
        self.types.append(f"own-{next(self._numbers)}")
        await self.queue.add(replace(task, type=self.types[-1], retry=RetryRule(seconds=0.0)))
        (lease,) = await self.queue.claim(self.types[-1])
        return lease

    async def _note(self, one: UUID, priority: int, *, position: int = 0) -> None:
        """Tasks of one statement follow each other by a microsecond."""
        moment = (await self.queue.task(one)).run_at
        assert moment is not None
        microseconds = (moment - EPOCH) // timedelta(microseconds=1)
        self.arrivals[one] = Arrival(priority=priority, moment=microseconds + position)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # timing differs in each run, so a failure cannot be shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    ways=st.permutations([*Way, *Way]),
    priorities=st.lists(st.integers(-2, 2), min_size=2 * len(Way), max_size=2 * len(Way)),
    at_once=st.integers(1, 5),
    limited=st.booleans(),
)
async def test_overtaking_is_bounded(
    database: str, ways: list[Way], priorities: list[int], at_once: int, limited: bool
) -> None:
    """A task waits for earlier tasks, and for more urgent ones within the bound; for no others.

    So the order is first in, first out within a priority. With limits another
    statement claims, with the same order.
    """
    async with open_queue(
        database, settings=replace(SETTINGS, priority_aging_seconds=AGING_SECONDS), reaper=True
    ) as queue:
        await queue.sql("delete from tasks; delete from task_limits")
        if limited:
            await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="other", max_running=1))
        arrivals = Arrivals(queue)
        for way, priority in zip(ways, priorities, strict=True):
            await arrivals.create(way, priority)
        await arrivals.ready()
        for first, then in combinations(await arrivals.claimed(at_once), 2):
            if first.moment <= then.moment:
                assert not then.overtakes(first)
            else:
                assert first.overtakes(then)
