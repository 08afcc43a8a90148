"""Knows what the probes saw, and says what that means at the moment when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, assert_never

import structlog
import trio

from runtime import Actor, Address, AskFailed, Deferred, MailboxFull

from .events import ServiceChanged
from .health_history import HealthHistory
from .messages import (
    CheckNow,
    ExpireStale,
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
    ReportHealth,
    ServiceHealth,
)
from .status import ServiceName, ServiceStatus, overall_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("monitor")

GRACE: Final = 2.0
"""Seconds that a probe gets beyond the limit of its look, to begin with it and to tell of it."""

A_MOMENT: Final = 0.05
"""Seconds by which something must be too old, so that rounding cannot make it seem otherwise."""


class HealthRegistry(Actor[MonitorMessage]):
    """Answers how the services are, always from memory and never with what is too old.

    A probe that reports no more, for whatever reason, leaves its service
    ``unknown`` after ``stale_after`` seconds. Publishes `ServiceChanged`.
    """

    def __init__(
        self,
        probes: Mapping[ServiceName, Address[CheckNow]],
        *,
        interval: float,
        timeout: float,
        stale_after: float,
    ) -> None:
        self._probes = probes
        self._interval = interval
        self._patience = timeout + GRACE
        self._stale_after = stale_after
        self._courses = {name: HealthHistory() for name in probes}
        self._told = dict.fromkeys(probes, ServiceStatus.UNKNOWN)
        self._asked: list[Deferred[object]] = []

    async def started(self) -> None:
        self._recount()

    async def handle(self, message: MonitorMessage) -> object:
        match message:
            case ReportHealth(name=name, course=course):
                self._note(name, course)
            case ExpireStale():
                self._recount()
            case HealthQuery(name=name):
                return self._view(name)
            case ForceCheck():
                self._asked.append(self.context.defer())
                if len(self._asked) == 1:
                    self.context.nursery.start_soon(self._check_all)
            case _:
                assert_never(message)
        return None

    # What is known

    def _note(self, name: ServiceName, course: HealthHistory) -> None:
        known, latest = self._courses[name].latest, course.latest
        if latest is None or (known is not None and latest.at < known.at):
            return
        self._courses[name] = course
        self.context.tell_after(
            max(0.0, latest.at + self._stale_after + A_MOMENT - trio.current_time()), ExpireStale()
        )
        self._recount()

    def _recount(self) -> None:
        """Tell of each service whose status is another by now."""
        view = self._view(None)
        self.context.detail["overall"] = view.overall
        for service in view.services:
            self.context.detail[service.name] = service.status
            previous, self._told[service.name] = self._told[service.name], service.status
            if service.status is not previous:
                self._publish(service, previous, view)

    def _publish(self, service: ServiceHealth, previous: ServiceStatus, view: HealthView) -> None:
        reason = service.error or service.evidence or "nobody has looked yet"
        message = f"{service.name} is {service.status}: {reason}"
        LOGGER.info("service_changed", service=service.name, status=service.status, reason=reason)
        self.context.publish(
            ServiceChanged(
                name=service.name,
                status=service.status,
                previous=previous,
                message=message,
                timestamp=datetime.now(UTC),
                service=service,
                overall=view.overall,
            )
        )

    def _view(self, wanted: str | None) -> HealthView:
        now = trio.current_time()
        services = tuple(self._health(name, course, now) for name, course in self._courses.items())
        if wanted is not None and wanted not in self._courses:
            known = ", ".join(self._courses)
            raise NoSuchService(f"no service of this name is watched; there are {known}")
        return HealthView(
            services=tuple(service for service in services if wanted in (None, service.name)),
            overall=overall_of((service.name, service.status) for service in services),
            interval=self._interval,
        )

    def _health(self, name: ServiceName, course: HealthHistory, now: float) -> ServiceHealth:
        latest, status = course.latest, course.status(now, self._stale_after)
        if latest is None:
            return ServiceHealth(
                name=name,
                status=status,
                last_check=None,
                retry_count=0,
                latency_ms=None,
                error=None,
                evidence=None,
            )
        error = latest.error
        if status is not latest.status:
            error = f"nobody has seen it for {now - latest.at:.0f} s; then it was {latest.status}"
        return ServiceHealth(
            name=name,
            status=status,
            last_check=latest.checked_at,
            retry_count=course.retry_count,
            latency_ms=latest.latency_ms,
            error=error,
            evidence=latest.evidence,
            warning=latest.warning,
        )

    # Looking now

    async def _check_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for name, probe in self._probes.items():
                nursery.start_soon(self._check, name, probe)
        view = self._view(None)
        while self._asked:
            self._asked.pop().set(view)

    async def _check(self, name: ServiceName, probe: Address[CheckNow]) -> None:
        # Who gives no answer is told as it was last seen.
        with suppress(AskFailed, MailboxFull):
            self._note(name, await probe.ask(CheckNow(), timeout=self._patience))
