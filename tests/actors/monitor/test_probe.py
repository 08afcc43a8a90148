from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import pytest
import trio
import trio.testing

from actors.monitor.checks.health_check import HealthCheckResult, disconnected, healthy
from actors.monitor.health_history import HealthHistory
from actors.monitor.messages import CheckNow, MonitorMessage, ReportHealth
from actors.monitor.probe import Probe, Triggers
from actors.monitor.status import ServiceName, ServiceStatus
from runtime import Address, Bus, ChildFailed, ChildStarted
from runtime.testing import TestProbe, run_actor

from .observations import SCHEDULE


@dataclass(slots=True, kw_only=True)
class FakeService:
    """A service with a health check that behaves as the test sets it, and the times of its checks."""

    result: HealthCheckResult = field(default_factory=lambda: healthy("all is well"))
    takes: float = 0.0
    heeds_cancellation: bool = True
    breaks: bool = False
    """In the first check."""
    checks: list[float] = field(default_factory=list)

    async def check(self) -> HealthCheckResult:
        self.checks.append(trio.current_time())
        if self.breaks and len(self.checks) == 1:
            raise ValueError("unexpected")
        with trio.CancelScope(shield=not self.heeds_cancellation):
            await trio.sleep(self.takes)
        return self.result


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProbe:
    """A running probe, and a test probe in place of the health registry."""

    address: Address[CheckNow]
    health_registry: TestProbe[MonitorMessage]
    bus: Bus
    began: float

    async def report(self, timeout: float = 100) -> HealthHistory:
        message = (await self.health_registry.receive(timeout=timeout)).message
        assert isinstance(message, ReportHealth)
        assert message.name is ServiceName.DATABASE
        return message.history


@asynccontextmanager
async def open_probe(
    service: FakeService,
    *,
    triggers: Triggers | None = None,
    initial_delay: float = 0,
    min_interval: float = 0,
) -> AsyncGenerator[RunningProbe, None]:
    address: Address[CheckNow] = Address("probe")
    health_registry: Address[MonitorMessage] = Address("health_registry")
    bus = Bus()
    probe = lambda: Probe(  # noqa: E731
        ServiceName.DATABASE,
        service.check,
        schedule=SCHEDULE,
        timeout=5.0,
        health_registry=health_registry,
        bus=bus,
        triggers=triggers,
        initial_delay=initial_delay,
        min_interval=min_interval,
        random=Random(0),
    )
    async with run_actor(probe, address, bus=bus):
        yield RunningProbe(
            address=address, health_registry=TestProbe(health_registry), bus=bus, began=trio.current_time()
        )


@pytest.fixture
def failing() -> FakeService:
    return FakeService(result=disconnected("unreachable"))


async def test_a_healthy_service_is_checked_at_the_interval(autojump_clock: trio.testing.MockClock):
    """Starting at once."""
    service = FakeService(takes=0.25)
    async with open_probe(service) as probe:
        for _ in range(3):
            seen = (await probe.report()).latest
            assert seen is not None
            assert (seen.status, seen.latency_ms, seen.evidence) == (
                ServiceStatus.HEALTHY,
                250,
                "all is well",
            )
        assert [at - probe.began for at in service.checks] == pytest.approx([0, 30.25, 60.5])


async def test_a_failing_service_is_retried_with_backoff(
    autojump_clock: trio.testing.MockClock, failing: FakeService
):
    """After 5, 10 and 20 seconds, then at the regular interval, until it is healthy."""
    async with open_probe(failing) as probe:
        counts = [(await probe.report()).retry_count for _ in range(6)]
        failing.result = healthy("back")
        back = await probe.report()
    assert counts == [1, 2, 3, 4, 5, 6]
    assert [at - probe.began for at in failing.checks] == pytest.approx([0, 5, 15, 35, 65, 95, 125])
    assert back.retry_count == 0
    assert back.latest is not None
    assert (back.latest.status, back.latest.error) == (ServiceStatus.HEALTHY, None)


async def test_a_hanging_check_is_cancelled(autojump_clock: trio.testing.MockClock):
    """The service is unhealthy then, and the probe goes on."""
    service = FakeService(takes=math.inf)
    async with open_probe(service) as probe:
        seen = (await probe.report()).latest
        assert seen is not None
        assert (seen.status, seen.error) == (ServiceStatus.UNHEALTHY, "no answer within 5 s")
        assert seen.latency_ms == 5000
        service.takes = 0
        assert (await probe.report()).retry_count == 0


async def test_a_check_that_cannot_be_cancelled_is_no_observation(autojump_clock: trio.testing.MockClock):
    """Nothing is reported until it ends."""
    service = FakeService(takes=1000, heeds_cancellation=False)
    async with open_probe(service) as probe:
        with trio.move_on_after(900) as limit:
            await probe.report(timeout=2000)
        assert limit.cancelled_caught


async def test_a_request_causes_a_check(autojump_clock: trio.testing.MockClock):
    """At once, between two regular ones."""
    service = FakeService()
    async with open_probe(service) as probe:
        await probe.report()
        await trio.sleep(3)
        history = await probe.address.ask(CheckNow(), timeout=1)
        assert history == await probe.report()
        assert [at - probe.began for at in service.checks] == pytest.approx([0, 3])


async def test_requests_during_a_check_share_it(autojump_clock: trio.testing.MockClock):
    """Ten requests, one check."""
    service = FakeService(takes=2)
    async with open_probe(service) as probe, trio.open_nursery() as nursery:
        await trio.sleep(1)
        for _ in range(10):
            nursery.start_soon(lambda: probe.address.ask(CheckNow(), timeout=3))
    assert len(service.checks) == 1


async def test_external_servers_are_checked_at_most_once_a_second(autojump_clock: trio.testing.MockClock):
    """A request that comes too early waits for the next permitted check."""
    service = FakeService()
    async with open_probe(service, min_interval=1.0) as probe:
        await probe.report()
        await trio.sleep(0.25)
        await probe.address.ask(CheckNow(), timeout=2)
        await probe.address.ask(CheckNow(), timeout=2)
        await trio.sleep(5)
        await probe.address.ask(CheckNow(), timeout=0.1)
        assert [at - probe.began for at in service.checks] == pytest.approx([0, 1, 2, 7])


async def test_a_crashing_check_ends_only_its_probe(autojump_clock: trio.testing.MockClock):
    """Nothing is reported; the restarted probe checks again."""
    service = FakeService(breaks=True)
    async with open_probe(service) as probe:
        history = await probe.report()
    assert len(service.checks) == 2
    assert history.retry_count == 0


async def test_a_start_triggers_a_check(autojump_clock: trio.testing.MockClock, failing: FakeService):
    """Not while the service is known to be healthy, and not the start of another actor."""
    async with open_probe(failing, triggers=Triggers(on_start=("services/postgres",))) as probe:
        await probe.report()
        failing.result = healthy("back")
        await trio.sleep(1)
        probe.bus.publish(ChildStarted(path="botvisor/services/valkey", restarts=1))
        await trio.sleep(1)
        probe.bus.publish(ChildStarted(path="botvisor/services/postgres", restarts=1))
        assert (await probe.report()).retry_count == 0
        probe.bus.publish(ChildStarted(path="botvisor/services/postgres", restarts=2))
        await trio.sleep(1)
        assert [at - probe.began for at in failing.checks] == pytest.approx([0, 2])


async def test_a_failure_triggers_a_check(autojump_clock: trio.testing.MockClock):
    """Once: an actor that goes on failing does not override the backoff."""
    service = FakeService()
    failure = ChildFailed(
        path="botvisor/database/db_writer", error=OSError("gone"), dependency_unavailable=True, delay=0.2
    )
    async with open_probe(service, triggers=Triggers(on_failure=("database/db_writer",))) as probe:
        await probe.report()
        await trio.sleep(2)
        service.result = disconnected("unreachable")
        for _ in range(5):
            probe.bus.publish(failure)
            await trio.sleep(0.5)
        assert (await probe.report()).retry_count == 1
        assert [at - probe.began for at in service.checks] == pytest.approx([0, 2])


async def test_the_first_check_may_wait_for_a_trigger(autojump_clock: trio.testing.MockClock):
    """Of a service that the tree starts after the monitor; at most for the initial delay."""
    triggers = Triggers(on_start=("web/server",))
    service, other_service = FakeService(), FakeService()
    async with (
        open_probe(service, triggers=triggers, initial_delay=5) as probe,
        open_probe(other_service, triggers=triggers, initial_delay=5) as other,
    ):
        await trio.sleep(1)
        probe.bus.publish(ChildStarted(path="botvisor/web/server", restarts=0))
        await probe.report()
        await other.report()
        assert service.checks[0] - probe.began == pytest.approx(1)
        assert other_service.checks[0] - other.began == pytest.approx(5)


async def test_secrets_are_not_reported(autojump_clock: trio.testing.MockClock):
    """A password in an address is masked, also in an error."""
    address = "postgresql://operator:hunter2@db.example/atoz"
    async with open_probe(
        FakeService(result=disconnected(f"no route to {address}", f"{address} is unavailable"))
    ) as probe:
        seen = (await probe.report()).latest
    assert seen is not None
    assert "hunter2" not in f"{seen.evidence} {seen.error}"
    assert "operator:***@db.example" in seen.evidence
