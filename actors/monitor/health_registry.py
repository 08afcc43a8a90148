"""Keeps the probes' results, and computes the health of the services from them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, assert_never

import structlog
import trio

from runtime import Actor, Address, AskFailed, Deferred, MailboxFull

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
    ServiceChanged,
    ServiceHealth,
)
from .status import ServiceName, ServiceStatus, overall_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("monitor")

GRACE: Final = 2.0
"""Seconds that a probe has beyond the timeout of its check, to begin it and to report it."""

STALE_MARGIN: Final = 0.05
"""Seconds after which `ExpireStale` comes late, so that rounding cannot make a result seem fresh."""


class HealthRegistry(Actor[MonitorMessage]):
    """Replies with the health of the services, always from memory and never from a stale result.

    When a probe stops reporting, for whatever reason, its service becomes
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
        self._probe_timeout = timeout + GRACE
        self._stale_after = stale_after
        self._histories = {name: HealthHistory() for name in probes}
        self._published = dict.fromkeys(probes, ServiceStatus.UNKNOWN)
        self._forced: list[Deferred[object]] = []
        """Requests for the check that runs."""

    async def started(self) -> None:
        self._publish_changes()

    async def handle(self, message: MonitorMessage) -> object:
        match message:
            case ReportHealth(name=name, history=history):
                self._update(name, history)
            case ExpireStale():
                self._publish_changes()
            case HealthQuery(name=name):
                return self._view(name)
            case ForceCheck():
                self._forced.append(self.context.defer())
                if len(self._forced) == 1:
                    self.context.nursery.start_soon(self._check_all)
            case _:
                assert_never(message)
        return None

    # Results

    def _update(self, name: ServiceName, history: HealthHistory) -> None:
        known, latest = self._histories[name].latest, history.latest
        if latest is None or (known is not None and latest.at < known.at):
            return
        self._histories[name] = history
        self.context.tell_after(
            max(0.0, latest.at + self._stale_after + STALE_MARGIN - trio.current_time()), ExpireStale()
        )
        self._publish_changes()

    def _publish_changes(self) -> None:
        """Publish an event for each service whose status has changed."""
        view = self._view(None)
        self.context.detail["overall"] = view.overall
        for service in view.services:
            self.context.detail[service.name] = service.status
            previous, self._published[service.name] = self._published[service.name], service.status
            if service.status is not previous:
                self._publish(service, previous, view)

    def _publish(self, service: ServiceHealth, previous: ServiceStatus, view: HealthView) -> None:
        reason = service.error or service.evidence or "not checked yet"
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

    def _view(self, requested: str | None) -> HealthView:
        now = trio.current_time()
        services = tuple(self._health(name, history, now) for name, history in self._histories.items())
        if requested is not None and requested not in self._histories:
            known = ", ".join(self._histories)
            raise NoSuchService(f"Unknown service; the services are {known}.")
        return HealthView(
            services=tuple(service for service in services if requested in (None, service.name)),
            overall=overall_of((service.name, service.status) for service in services),
            interval=self._interval,
        )

    def _health(self, name: ServiceName, history: HealthHistory, now: float) -> ServiceHealth:
        latest, status = history.latest, history.status(now, self._stale_after)
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
            error = f"last checked {now - latest.at:.0f} s ago; it was {latest.status}"
        return ServiceHealth(
            name=name,
            status=status,
            last_check=latest.checked_at,
            retry_count=history.retry_count,
            latency_ms=latest.latency_ms,
            error=error,
            evidence=latest.evidence,
            warning=latest.warning,
        )

    # Forced checks

    async def _check_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for name, probe in self._probes.items():
                nursery.start_soon(self._check, name, probe)
        view = self._view(None)
        while self._forced:
            self._forced.pop().set(view)

    async def _check(self, name: ServiceName, probe: Address[CheckNow]) -> None:
        # A service whose probe does not reply keeps its last result.
        with suppress(AskFailed, MailboxFull):
            self._update(name, await probe.ask(CheckNow(), timeout=self._probe_timeout))
