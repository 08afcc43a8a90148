"""Looks at one service, again and again, and reports to the board."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import trio

from runtime import Actor, Address, Bus, ChildFailed, ChildStarted, Deferred, MailboxFull

from ..settings import mask_url
from .checks.health_check import HealthCheck, unhealthy
from .health_history import CheckSchedule, HealthHistory, Observation
from .messages import CheckNow, MonitorMessage, ReportHealth
from .status import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """How the paths of actors begin, below the root, whose fate makes it worth looking before it is time."""

    of_failure: tuple[str, ...] = ()
    """When one of them fails, the service may have gone."""
    of_return: tuple[str, ...] = ()
    """When one of them starts, the service may have come back."""


class Probe(Actor[CheckNow]):
    """Looks at a service in a rhythm, and when asked; each look is cut off after ``timeout`` seconds.

    An actor's fate is only a reason to look, never an observation. A look that
    cannot be cut off keeps this probe from reporting, and so the board comes to
    say that nothing is known.
    """

    def __init__(
        self,
        name: ServiceName,
        look: HealthCheck,
        *,
        rhythm: CheckSchedule,
        timeout: float,
        health_registry: Address[MonitorMessage],
        bus: Bus,
        signs: Triggers | None = None,
        first: float = 0.0,
        spacing: float = 0.0,
        random: Random | None = None,
    ) -> None:
        """``first`` is how long to wait for a sign of the service before the first look.

        Between two looks there are ``spacing`` seconds at least, for a service that is not ours.
        """
        self._name = name
        self._look = look
        self._rhythm = rhythm
        self._timeout = timeout
        self._health_registry = health_registry
        self._bus = bus
        self._signs = signs or Triggers()
        self._first = first
        self._spacing = spacing
        self._random = random or Random()
        self._course = HealthHistory()
        self._asked: list[Deferred[object]] = []
        self._pause = trio.CancelScope()
        self._failure_seen = self._return_seen = False

    async def started(self) -> None:
        self.context.detail.update(status=None, retry_count=0, latency_ms=None, error=None, next_in=None)
        await self.context.nursery.start(self._follow)
        self.context.nursery.start_soon(self._look_for_ever)

    async def handle(self, message: CheckNow) -> None:
        self._asked.append(self.context.defer())
        self._hurry()

    async def _look_for_ever(self) -> None:
        pause = self._first
        while True:
            self.context.detail["next_in"] = round(pause, 1)
            with trio.move_on_after(pause) as self._pause:
                self._hurry()
                await trio.sleep(math.inf)
            self._failure_seen = self._return_seen = False
            self._course = self._course.after(await self._observe(), self._rhythm.backoff)
            self._tell()
            pause = self._rhythm.pause(self._course, self._random)

    async def _observe(self) -> Observation:
        began = trio.current_time()
        sight = unhealthy(f"no answer within {self._timeout:g} s")
        with trio.move_on_after(self._timeout):
            sight = await self._look()
        ended = trio.current_time()
        return Observation(
            at=ended,
            checked_at=datetime.now(UTC),
            status=sight.status,
            latency_ms=round((ended - began) * 1000, 1),
            evidence=mask_url(sight.evidence),
            error=None if sight.error is None else mask_url(sight.error),
            warning=sight.warning,
        )

    def _tell(self) -> None:
        seen = self._course.latest
        assert seen is not None
        self.context.detail.update(
            status=seen.status,
            retry_count=self._course.retry_count,
            latency_ms=seen.latency_ms,
            error=seen.error,
        )
        # A board that has no room gets the next one.
        with suppress(MailboxFull):
            self._health_registry.tell_nowait(ReportHealth(name=self._name, course=self._course))
        while self._asked:
            self._asked.pop().set(self._course)

    # Reasons to look early

    @property
    def _has_reason(self) -> bool:
        if self._asked:
            return True
        # What is known already is no reason: a dependency that is away makes its actors fail again and again.
        healthy = self._course.latest is not None and self._course.retry_count == 0
        return self._failure_seen if healthy else self._return_seen

    def _hurry(self) -> None:
        """Look as soon as may be, if there is a reason."""
        if self._has_reason:
            latest = self._course.latest
            earliest = -math.inf if latest is None else latest.at + self._spacing
            self._pause.deadline = min(self._pause.deadline, earliest)

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(ChildStarted, ChildFailed) as events:
            task_status.started()
            async for event in events:
                match event:
                    case ChildFailed() if _names(event.path, self._signs.of_failure):
                        self._failure_seen = True
                    case ChildStarted() if _names(event.path, self._signs.of_return):
                        self._return_seen = True
                    case _:
                        continue
                self._hurry()


def _names(path: str, signs: tuple[str, ...]) -> bool:
    below = path.partition("/")[2]
    return below.startswith(signs)
