from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from actors.monitor.events import ServiceChanged
from actors.monitor.health_registry import HealthRegistry
from actors.monitor.messages import (
    CheckNow,
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
    ReportHealth,
)
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from runtime import Address, Bus, Subscription
from runtime.testing import TestProbe, next_event, run_actor

from .sights import course, observation

STALE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """A board, with stands for its probes."""

    address: Address[MonitorMessage]
    probes: dict[ServiceName, TestProbe[CheckNow]]
    changes: Subscription

    async def report(self, name: ServiceName, status: ServiceStatus) -> None:
        seen = observation(trio.current_time(), status)
        await self.address.tell(ReportHealth(name=name, course=course(seen)))

    async def report_all(self, status: ServiceStatus = ServiceStatus.HEALTHY) -> None:
        for name in ServiceName:
            await self.report(name, status)

    async def view(self, name: str | None = None) -> HealthView:
        return await self.address.ask(HealthQuery(name=name), timeout=1)

    async def change(self) -> ServiceChanged:
        with trio.fail_after(1000):
            return await next_event(self.changes, ServiceChanged)


@asynccontextmanager
async def hung() -> AsyncGenerator[Wall, None]:
    """Hang up a board."""
    bus, address = Bus(), Address[MonitorMessage]("board")
    probes = {name: Address[CheckNow](name) for name in ServiceName}
    health_registry = lambda: HealthRegistry(probes, interval=30.0, timeout=5.0, stale_after=STALE)  # noqa: E731
    with bus.subscribe(ServiceChanged) as changes:
        async with run_actor(health_registry, address, bus=bus):
            stands = {name: TestProbe(probe) for name, probe in probes.items()}
            yield Wall(address=address, probes=stands, changes=changes)


async def test_nothing_is_known_at_first(autojump_clock: trio.testing.MockClock):
    """Every service is there, and unknown."""
    async with hung() as wall:
        view = await wall.view()
    assert [service.name for service in view.services] == list(ServiceName)
    assert {service.status for service in view.services} == {ServiceStatus.UNKNOWN}
    assert (view.overall, view.interval) == (OverallStatus.UNKNOWN, 30)


async def test_what_was_reported_is_told(autojump_clock: trio.testing.MockClock):
    """With when, how long, and what was seen."""
    async with hung() as wall:
        await wall.report_all()
        assert (await wall.view()).overall is OverallStatus.HEALTHY
        await wall.report(ServiceName.WEBSOCKET, ServiceStatus.DISCONNECTED)
        view = await wall.view()
    websocket = view.service("websocket")
    assert websocket is not None
    assert (websocket.status, websocket.retry_count) == (ServiceStatus.DISCONNECTED, 1)
    assert (websocket.latency_ms, websocket.error) == (1.5, "it was disconnected")
    assert websocket.last_check is not None
    assert view.overall is OverallStatus.PARTIAL
    assert view.hindrances == ("websocket is disconnected: it was disconnected",)


async def test_one_service_can_be_asked_for(autojump_clock: trio.testing.MockClock):
    """The overall status is of all services all the same."""
    async with hung() as wall:
        await wall.report_all()
        await wall.report(ServiceName.DATABASE, ServiceStatus.UNHEALTHY)
        view = await wall.view("redis")
        assert [service.name for service in view.services] == [ServiceName.REDIS]
        assert view.overall is OverallStatus.DEGRADED
        with pytest.raises(NoSuchService, match="there are database, redis, bot_process"):
            await wall.view("postgres")


async def test_changes_are_published(autojump_clock: trio.testing.MockClock):
    """Each once, with the sentence of what is wrong; what stays as it was is no news."""
    async with hung() as wall:
        await wall.report(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        await wall.report(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        await wall.report(ServiceName.DATABASE, ServiceStatus.DISCONNECTED)
        first, second = await wall.change(), await wall.change()
    assert (first.previous, first.status) == (ServiceStatus.UNKNOWN, ServiceStatus.HEALTHY)
    assert (second.previous, second.status) == (ServiceStatus.HEALTHY, ServiceStatus.DISCONNECTED)
    assert second.message == "database is disconnected: it was disconnected"
    assert (second.service.retry_count, second.overall) == (1, OverallStatus.PARTIAL)


async def test_a_frozen_probe_leaves_its_service_unknown(autojump_clock: trio.testing.MockClock):
    """Never healthy: once nobody has seen it for too long, that is said, and published unasked."""
    async with hung() as wall:
        await wall.report_all()
        for _ in ServiceName:
            await wall.change()
        await trio.sleep(STALE - 1)
        for name in ServiceName:
            if name is not ServiceName.REDIS:
                await wall.report(name, ServiceStatus.HEALTHY)
        change = await wall.change()
        view = await wall.view()
    assert (change.name, change.status) == (ServiceName.REDIS, ServiceStatus.UNKNOWN)
    assert change.message == "redis is unknown: nobody has seen it for 90 s; then it was healthy"
    redis = view.service("redis")
    assert redis is not None
    assert redis.status is ServiceStatus.UNKNOWN
    assert redis.last_check is not None
    assert view.overall is OverallStatus.HEALTHY


async def test_an_old_report_does_not_replace_a_newer_one(autojump_clock: trio.testing.MockClock):
    """As when a probe's answer overtook its report."""
    async with hung() as wall:
        now = trio.current_time()
        newer = course(observation(now, ServiceStatus.UNHEALTHY))
        await wall.address.tell(ReportHealth(name=ServiceName.REDIS, course=newer))
        older = course(observation(now - 1, ServiceStatus.HEALTHY))
        await wall.address.tell(ReportHealth(name=ServiceName.REDIS, course=older))
        redis = (await wall.view()).service("redis")
    assert redis is not None
    assert redis.status is ServiceStatus.UNHEALTHY


async def test_a_forced_check_asks_all_probes_at_once(autojump_clock: trio.testing.MockClock):
    """And many callers share it."""
    async with hung() as wall:
        views: list[HealthView] = []

        async def force() -> None:
            views.append(await wall.address.ask(ForceCheck(), timeout=10))

        async with trio.open_nursery() as nursery:
            for _ in range(7):
                nursery.start_soon(force)
            received = [await probe.receive() for probe in wall.probes.values()]
            for one in received:
                one.reply(course(observation(trio.current_time(), ServiceStatus.HEALTHY)))
        assert len(views) == 7
        assert {view.overall for view in views} == {OverallStatus.HEALTHY}
        for probe in wall.probes.values():
            probe.expect_nothing()


async def test_a_forced_check_does_not_wait_for_a_frozen_probe(autojump_clock: trio.testing.MockClock):
    """It is told as it was last seen: here never. The next check asks anew."""
    async with hung() as wall, trio.open_nursery() as nursery:

        async def answer(probe: TestProbe[CheckNow]) -> None:
            while True:
                one = await probe.receive(timeout=100)
                one.reply(course(observation(trio.current_time(), ServiceStatus.HEALTHY)))

        for name, probe in wall.probes.items():
            if name is not ServiceName.EXTERNAL_API:
                nursery.start_soon(answer, probe)
        for _ in range(2):
            began = trio.current_time()
            view = await wall.address.ask(ForceCheck(), timeout=10)
            assert trio.current_time() - began == pytest.approx(7)
            statuses = {service.name: service.status for service in view.services}
            assert statuses.pop(ServiceName.EXTERNAL_API) is ServiceStatus.UNKNOWN
            assert set(statuses.values()) == {ServiceStatus.HEALTHY}
        nursery.cancel_scope.cancel()
