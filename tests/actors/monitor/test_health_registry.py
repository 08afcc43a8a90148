from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from actors.monitor.health_registry import HealthRegistry
from actors.monitor.messages import (
    CheckNow,
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
    ReportHealth,
    ServiceChanged,
)
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from runtime import Address, Bus, Subscription
from runtime.testing import TestProbe, next_event, run_actor

from .observations import history, observation

STALE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """A health registry, with test probes in place of its probes."""

    address: Address[MonitorMessage]
    probes: dict[ServiceName, TestProbe[CheckNow]]
    changes: Subscription

    async def report(self, name: ServiceName, status: ServiceStatus) -> None:
        seen = observation(trio.current_time(), status)
        await self.address.tell(ReportHealth(name=name, history=history(seen)))

    async def report_all(self, status: ServiceStatus = ServiceStatus.HEALTHY) -> None:
        for name in ServiceName:
            await self.report(name, status)

    async def view(self, name: str | None = None) -> HealthView:
        return await self.address.ask(HealthQuery(name=name), timeout=1)

    async def change(self) -> ServiceChanged:
        with trio.fail_after(1000):
            return await next_event(self.changes, ServiceChanged)


@asynccontextmanager
async def open_registry() -> AsyncGenerator[Monitored, None]:
    """Run a health registry."""
    bus, address = Bus(), Address[MonitorMessage]("health_registry")
    probes = {name: Address[CheckNow](name) for name in ServiceName}
    health_registry = lambda: HealthRegistry(probes, interval=30.0, timeout=5.0, stale_after=STALE)  # noqa: E731
    with bus.subscribe(ServiceChanged) as changes:
        async with run_actor(health_registry, address, bus=bus):
            test_probes = {name: TestProbe(probe) for name, probe in probes.items()}
            yield Monitored(address=address, probes=test_probes, changes=changes)


async def test_every_service_starts_unknown(autojump_clock: trio.testing.MockClock):
    """And is part of the view."""
    async with open_registry() as registry:
        view = await registry.view()
    assert [service.name for service in view.services] == list(ServiceName)
    assert {service.status for service in view.services} == {ServiceStatus.UNKNOWN}
    assert (view.overall, view.interval) == (OverallStatus.UNKNOWN, 30)


async def test_reports_are_part_of_the_view(autojump_clock: trio.testing.MockClock):
    """With time, latency and error."""
    async with open_registry() as registry:
        await registry.report_all()
        assert (await registry.view()).overall is OverallStatus.HEALTHY
        await registry.report(ServiceName.WEBSOCKET, ServiceStatus.DISCONNECTED)
        view = await registry.view()
    websocket = view.service("websocket")
    assert websocket is not None
    assert (websocket.status, websocket.retry_count) == (ServiceStatus.DISCONNECTED, 1)
    assert (websocket.latency_ms, websocket.error) == (1.5, "it was disconnected")
    assert websocket.last_check is not None
    assert view.overall is OverallStatus.PARTIAL
    assert view.blocking_issues == ("websocket is disconnected: it was disconnected",)


async def test_a_query_may_name_a_service(autojump_clock: trio.testing.MockClock):
    """The overall status still covers all services."""
    async with open_registry() as registry:
        await registry.report_all()
        await registry.report(ServiceName.DATABASE, ServiceStatus.UNHEALTHY)
        view = await registry.view("redis")
        assert [service.name for service in view.services] == [ServiceName.REDIS]
        assert view.overall is OverallStatus.DEGRADED
        with pytest.raises(NoSuchService, match="the services are database, redis, bot_process"):
            await registry.view("postgres")


async def test_changes_are_published(autojump_clock: trio.testing.MockClock):
    """Each once, with the error; a report without a change is not."""
    async with open_registry() as registry:
        await registry.report(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        await registry.report(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        await registry.report(ServiceName.DATABASE, ServiceStatus.DISCONNECTED)
        first, second = await registry.change(), await registry.change()
    assert (first.previous, first.status) == (ServiceStatus.UNKNOWN, ServiceStatus.HEALTHY)
    assert (second.previous, second.status) == (ServiceStatus.HEALTHY, ServiceStatus.DISCONNECTED)
    assert second.message == "database is disconnected: it was disconnected"
    assert (second.service.retry_count, second.overall) == (1, OverallStatus.PARTIAL)


async def test_a_service_without_reports_becomes_unknown(autojump_clock: trio.testing.MockClock):
    """Which is published as a change, without a request."""
    async with open_registry() as registry:
        await registry.report_all()
        for _ in ServiceName:
            await registry.change()
        await trio.sleep(STALE - 1)
        for name in ServiceName:
            if name is not ServiceName.REDIS:
                await registry.report(name, ServiceStatus.HEALTHY)
        change = await registry.change()
        view = await registry.view()
    assert (change.name, change.status) == (ServiceName.REDIS, ServiceStatus.UNKNOWN)
    assert change.message == "redis is unknown: last checked 90 s ago; it was healthy"
    redis = view.service("redis")
    assert redis is not None
    assert redis.status is ServiceStatus.UNKNOWN
    assert redis.last_check is not None
    assert view.overall is OverallStatus.HEALTHY


async def test_an_older_report_is_ignored(autojump_clock: trio.testing.MockClock):
    """As when a probe's reply overtakes its report."""
    async with open_registry() as registry:
        now = trio.current_time()
        newer = history(observation(now, ServiceStatus.UNHEALTHY))
        await registry.address.tell(ReportHealth(name=ServiceName.REDIS, history=newer))
        older = history(observation(now - 1, ServiceStatus.HEALTHY))
        await registry.address.tell(ReportHealth(name=ServiceName.REDIS, history=older))
        redis = (await registry.view()).service("redis")
    assert redis is not None
    assert redis.status is ServiceStatus.UNHEALTHY


async def test_a_forced_check_runs_all_probes_at_once(autojump_clock: trio.testing.MockClock):
    """Concurrent requests share it."""
    async with open_registry() as registry:
        views: list[HealthView] = []

        async def force() -> None:
            views.append(await registry.address.ask(ForceCheck(), timeout=10))

        async with trio.open_nursery() as nursery:
            for _ in range(7):
                nursery.start_soon(force)
            received = [await probe.receive() for probe in registry.probes.values()]
            for one in received:
                one.reply(history(observation(trio.current_time(), ServiceStatus.HEALTHY)))
        assert len(views) == 7
        assert {view.overall for view in views} == {OverallStatus.HEALTHY}
        for probe in registry.probes.values():
            probe.expect_nothing()


async def test_a_forced_check_does_not_wait_for_a_frozen_probe(autojump_clock: trio.testing.MockClock):
    """Its service keeps its last result, here none. The next forced check tries again."""
    async with open_registry() as registry, trio.open_nursery() as nursery:

        async def answer(probe: TestProbe[CheckNow]) -> None:
            while True:
                one = await probe.receive(timeout=100)
                one.reply(history(observation(trio.current_time(), ServiceStatus.HEALTHY)))

        for name, probe in registry.probes.items():
            if name is not ServiceName.EXTERNAL_API:
                nursery.start_soon(answer, probe)
        for _ in range(2):
            began = trio.current_time()
            view = await registry.address.ask(ForceCheck(), timeout=10)
            assert trio.current_time() - began == pytest.approx(7)
            statuses = {service.name: service.status for service in view.services}
            assert statuses.pop(ServiceName.EXTERNAL_API) is ServiceStatus.UNKNOWN
            assert set(statuses.values()) == {ServiceStatus.HEALTHY}
        nursery.cancel_scope.cancel()
