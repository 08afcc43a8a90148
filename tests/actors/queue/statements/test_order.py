"""In which order the database gives tasks out, however they came to be pending."""

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

AGE_SECONDS: Final = 0.02
"""So little that some of the tasks of a test overtake others, and some come too late for it."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Way(Enum):
    """How a task comes to be pending."""

    ADDED = auto()
    DELAYED = auto()
    DEBOUNCED = auto()
    PROMOTED = auto()
    REPRIORITIZED = auto()
    FREED = auto()
    RETRIED = auto()
    FAILED = auto()
    PUT_OFF = auto()
    STALLED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A task that waits for its turn."""

    priority: int
    moment: int
    """The microsecond from which it may run."""

    def overtakes(self, earlier: Arrival) -> bool:
        """Whether it comes before one that was there first: what is promised of the order, and no more."""
        bound = (self.priority - earlier.priority) * round(AGE_SECONDS * 1e6)
        return self.moment - earlier.moment < bound


class Crowd:
    """Tasks that came in all these ways, and when."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.arrivals: dict[UUID, Arrival] = {}
        self.types = ["work"]
        self._numbers = count()

    async def join(self, way: Way, priority: int) -> None:
        """Let a task come this way."""
        ask, task = self.queue.ask, work(priority=priority)
        match way:
            case Way.ADDED:
                for place, one in enumerate(await self.queue.add(task, task), start=1):
                    await self._note(one, priority, place=place)
            case Way.DELAYED:
                (one,) = await self.queue.add(replace(task, delay_seconds=0.03))
                await self._note(one, priority, place=1)
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
                await self._note(one, priority, place=1)
            case Way.FREED:
                (one,) = await self.queue.add(replace(task, children=(NewTask(type="child"),)))
                await self.queue.complete(*await self.queue.claim("child"))
                await self._note(one, priority)
            case Way.RETRIED:
                (one,) = await self.queue.add(task)
                await ask(CancelTask(id=one))
                await ask(RetryTask(id=one))
                await self._note(one, priority)
            case Way.FAILED:
                lease = await self._begun(task)
                await ask(FailTask(id=lease.task.id, token=lease.token, error="no"))
                await self._note(lease.task.id, priority)
            case Way.PUT_OFF:
                # As if it had never been begun: it keeps its place.
                lease = await self._begun(task)
                await self._note(lease.task.id, priority, place=1)
                await ask(FailTask(id=lease.task.id, token=lease.token, error="not now", counts=False))
            case Way.STALLED:
                lease = await self._begun(task)
                await self._note(lease.task.id, priority, place=1)
                await self.queue.sql(f"update tasks set lease_until = now() where id = '{lease.task.id}'")

    async def ready(self) -> None:
        """Wait until all of them are pending."""
        for one in self.arrivals:
            await self.queue.until(one, TaskState.PENDING)

    async def served(self, at_once: int) -> list[Arrival]:
        """Claim them all, so many at a time, and return them in that order."""
        served: list[Arrival] = []
        while leases := await self.queue.claim(*self.types, limit=at_once):
            served += [self.arrivals.pop(lease.task.id) for lease in leases]
        assert not self.arrivals
        return served

    async def _begun(self, task: NewTask) -> Lease:
        # With a type of its own, so that it can be claimed before the others.
        self.types.append(f"own-{next(self._numbers)}")
        await self.queue.add(replace(task, type=self.types[-1], retry=RetryRule(seconds=0.0)))
        (lease,) = await self.queue.claim(self.types[-1])
        return lease

    async def _note(self, one: UUID, priority: int, *, place: int = 0) -> None:
        """Those that are added by one statement come a microsecond after one another."""
        moment = (await self.queue.task(one)).run_at
        assert moment is not None
        microseconds = (moment - EPOCH) // timedelta(microseconds=1)
        self.arrivals[one] = Arrival(priority=priority, moment=microseconds + place)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # time passes differently in each run, so a failure cannot be made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    ways=st.permutations([*Way, *Way]),
    priorities=st.lists(st.integers(-2, 2), min_size=2 * len(Way), max_size=2 * len(Way)),
    at_once=st.integers(1, 5),
    limited=st.booleans(),
)
async def test_who_overtakes_whom_is_bounded(
    database: str, ways: list[Way], priorities: list[int], at_once: int, limited: bool
) -> None:
    """A task waits for those that came before it, and for more urgent ones within the bound; for nobody else.

    So it is first in, first out within a priority. Where anything is limited
    claims are made by another statement, of which the same holds.
    """
    async with open_queue(
        database, settings=replace(SETTINGS, age_seconds=AGE_SECONDS), reaper=True
    ) as queue:
        await queue.sql("delete from tasks; delete from task_limits")
        if limited:
            await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="other", max_running=1))
        crowd = Crowd(queue)
        for way, priority in zip(ways, priorities, strict=True):
            await crowd.join(way, priority)
        await crowd.ready()
        for first, then in combinations(await crowd.served(at_once), 2):
            if first.moment <= then.moment:
                assert not then.overtakes(first)
            else:
                assert first.overtakes(then)
