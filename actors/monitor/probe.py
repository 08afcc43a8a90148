"""The actor that checks one service again and again, and reports to the health registry."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import trio

from runtime import Actor, Address, Bus, ChildFailed, ChildStarted, Deferred, MailboxFull

from ..settings import mask_url
from .check_schedule import CheckSchedule
from .checks.health_check import HealthCheck, unhealthy
from .health_history import HealthHistory, Observation
from .messages import CheckNow, MonitorMessage, ReportHealth
from .status import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """Actors whose failure or start causes a check before its time, by path prefix below the root."""

    on_failure: tuple[str, ...] = ()
    """Their failure may mean that the service is down."""
    on_start: tuple[str, ...] = ()
    """Their start may mean that the service is back."""


class Probe(Actor[CheckNow]):
    """Checks a service on a schedule and on request; each check is cancelled after ``timeout`` seconds.

    An actor's failure or start only triggers a check and is no observation. A
    check that cannot be cancelled keeps this probe from reporting, so the health
    registry makes the service unknown.
    """

    def __init__(
        self,
        name: ServiceName,
        check: HealthCheck,
        *,
        schedule: CheckSchedule,
        timeout: float,
        health_registry: Address[MonitorMessage],
        bus: Bus,
        triggers: Triggers | None = None,
        initial_delay: float = 0.0,
        min_interval: float = 0.0,
        random: Random | None = None,
    ) -> None:
        """The first check comes after ``initial_delay`` seconds, or with the first trigger.

        ``min_interval`` is the least number of seconds between two checks, for an external service.
        """
        self._name = name
        self._check = check
        self._schedule = schedule
        self._timeout = timeout
        self._health_registry = health_registry
        self._bus = bus
        self._triggers = triggers or Triggers()
        self._initial_delay = initial_delay
        self._min_interval = min_interval
        self._random = random or Random()
        self._history = HealthHistory()
        self._requests: list[Deferred[object]] = []
        self._pause = trio.CancelScope()
        self._failure_seen = self._start_seen = False

    async def started(self) -> None:
        self.context.detail.update(status=None, retry_count=0, latency_ms=None, error=None, next_in=None)
        await self.context.nursery.start(self._follow)
        self.context.nursery.start_soon(self._run)

    async def handle(self, message: CheckNow) -> None:
        self._requests.append(self.context.defer())
        self._check_early()

    async def _run(self) -> None:
        delay = self._initial_delay
        while True:
            self.context.detail["next_in"] = round(delay, 1)
            with trio.move_on_after(delay) as self._pause:
                self._check_early()
                await trio.sleep(math.inf)
            self._failure_seen = self._start_seen = False
            self._history = self._history.after(await self._observe(), self._schedule.backoff)
            self._report()
            delay = self._schedule.delay(self._history, self._random)

    async def _observe(self) -> Observation:
        began = trio.current_time()
        result = unhealthy(f"no answer within {self._timeout:g} s")
        with trio.move_on_after(self._timeout):
            result = await self._check()
        ended = trio.current_time()
        return Observation(
            at=ended,
            checked_at=datetime.now(UTC),
            status=result.status,
            latency_ms=round((ended - began) * 1000, 1),
            evidence=mask_url(result.evidence),
            error=None if result.error is None else mask_url(result.error),
            warning=result.warning,
        )

    def _report(self) -> None:
        latest = self._history.latest
        assert latest is not None
        self.context.detail.update(
            status=latest.status,
            retry_count=self._history.retry_count,
            latency_ms=latest.latency_ms,
            error=latest.error,
        )
        # A registry whose mailbox is full gets the next report.
        with suppress(MailboxFull):
            self._health_registry.tell_nowait(ReportHealth(name=self._name, history=self._history))
        while self._requests:
            self._requests.pop().set(self._history)

    # Early checks

    @property
    def _has_reason(self) -> bool:
        if self._requests:
            return True
        # What is known is no reason: while a dependency is unavailable its actors fail again and again.
        healthy = self._history.latest is not None and self._history.retry_count == 0
        return self._failure_seen if healthy else self._start_seen

    def _check_early(self) -> None:
        """Check as soon as ``min_interval`` allows, if there is a reason."""
        if self._has_reason:
            latest = self._history.latest
            earliest = -math.inf if latest is None else latest.at + self._min_interval
            self._pause.deadline = min(self._pause.deadline, earliest)

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(ChildStarted, ChildFailed) as events:
            task_status.started()
            async for event in events:
                match event:
                    case ChildFailed() if _matches(event.path, self._triggers.on_failure):
                        self._failure_seen = True
                    case ChildStarted() if _matches(event.path, self._triggers.on_start):
                        self._start_seen = True
                    case _:
                        continue
                self._check_early()


def _matches(path: str, prefixes: tuple[str, ...]) -> bool:
    below = path.partition("/")[2]
    return below.startswith(prefixes)
