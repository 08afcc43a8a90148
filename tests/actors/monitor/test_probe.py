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

from .sights import RHYTHM


@dataclass(slots=True, kw_only=True)
class Thing:
    """A service that does what the test says, and knows when it was looked at."""

    sight: HealthCheckResult = field(default_factory=lambda: healthy("all is well"))
    takes: float = 0.0
    heeds_cancellation: bool = True
    breaks: bool = False
    """The first time."""
    looks: list[float] = field(default_factory=list)

    async def look(self) -> HealthCheckResult:
        self.looks.append(trio.current_time())
        if self.breaks and len(self.looks) == 1:
            raise ValueError("nobody foresaw this")
        with trio.CancelScope(shield=not self.heeds_cancellation):
            await trio.sleep(self.takes)
        return self.sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A probe at its post, and who hears of what it sees."""

    address: Address[CheckNow]
    health_registry: TestProbe[MonitorMessage]
    bus: Bus
    began: float

    async def report(self, timeout: float = 100) -> HealthHistory:
        message = (await self.health_registry.receive(timeout=timeout)).message
        assert isinstance(message, ReportHealth)
        assert message.name is ServiceName.DATABASE
        return message.course


@asynccontextmanager
async def posted(
    thing: Thing, *, signs: Triggers | None = None, first: float = 0, spacing: float = 0
) -> AsyncGenerator[Post, None]:
    address: Address[CheckNow] = Address("probe")
    health_registry: Address[MonitorMessage] = Address("board")
    bus = Bus()
    probe = lambda: Probe(  # noqa: E731
        ServiceName.DATABASE,
        thing.look,
        rhythm=RHYTHM,
        timeout=5.0,
        health_registry=health_registry,
        bus=bus,
        signs=signs,
        first=first,
        spacing=spacing,
        random=Random(0),
    )
    async with run_actor(probe, address, bus=bus):
        yield Post(
            address=address, health_registry=TestProbe(health_registry), bus=bus, began=trio.current_time()
        )


@pytest.fixture
def failing() -> Thing:
    return Thing(sight=disconnected("nobody is there"))


async def test_a_healthy_service_is_looked_at_regularly(autojump_clock: trio.testing.MockClock):
    """At once, and then once in every interval."""
    thing = Thing(takes=0.25)
    async with posted(thing) as post:
        for _ in range(3):
            seen = (await post.report()).latest
            assert seen is not None
            assert (seen.status, seen.latency_ms, seen.evidence) == (
                ServiceStatus.HEALTHY,
                250,
                "all is well",
            )
        assert [at - post.began for at in thing.looks] == pytest.approx([0, 30.25, 60.5])


async def test_a_failing_service_is_retried_with_backoff(
    autojump_clock: trio.testing.MockClock, failing: Thing
):
    """5, 10 and 20 seconds later, then in the regular interval, until it is back."""
    async with posted(failing) as post:
        counts = [(await post.report()).retry_count for _ in range(6)]
        failing.sight = healthy("back")
        back = await post.report()
    assert counts == [1, 2, 3, 4, 5, 6]
    assert [at - post.began for at in failing.looks] == pytest.approx([0, 5, 15, 35, 65, 95, 125])
    assert back.retry_count == 0
    assert back.latest is not None
    assert (back.latest.status, back.latest.error) == (ServiceStatus.HEALTHY, None)


async def test_a_look_that_hangs_is_cut_off(autojump_clock: trio.testing.MockClock):
    """The service is unhealthy then, with the limit in the sentence, and the probe goes on."""
    thing = Thing(takes=math.inf)
    async with posted(thing) as post:
        seen = (await post.report()).latest
        assert seen is not None
        assert (seen.status, seen.error) == (ServiceStatus.UNHEALTHY, "no answer within 5 s")
        assert seen.latency_ms == 5000
        thing.takes = 0
        assert (await post.report()).retry_count == 0


async def test_a_look_that_cannot_be_cut_off_is_no_observation(autojump_clock: trio.testing.MockClock):
    """Nothing is reported until it ends; who asks gets no answer meanwhile."""
    thing = Thing(takes=1000, heeds_cancellation=False)
    async with posted(thing) as post:
        with trio.move_on_after(900) as limit:
            await post.report(timeout=2000)
        assert limit.cancelled_caught


async def test_who_asks_gets_a_fresh_look(autojump_clock: trio.testing.MockClock):
    """At once, between two regular ones."""
    thing = Thing()
    async with posted(thing) as post:
        await post.report()
        await trio.sleep(3)
        course = await post.address.ask(CheckNow(), timeout=1)
        assert course == await post.report()
        assert [at - post.began for at in thing.looks] == pytest.approx([0, 3])


async def test_who_asks_during_a_look_shares_it(autojump_clock: trio.testing.MockClock):
    """Ten askers, one look."""
    thing = Thing(takes=2)
    async with posted(thing) as post, trio.open_nursery() as nursery:
        await trio.sleep(1)
        for _ in range(10):
            nursery.start_soon(lambda: post.address.ask(CheckNow(), timeout=3))
    assert len(thing.looks) == 1


async def test_others_servers_are_not_looked_at_all_the_time(autojump_clock: trio.testing.MockClock):
    """However often somebody asks: whoever asks too soon waits for the look that may be."""
    thing = Thing()
    async with posted(thing, spacing=1.0) as post:
        await post.report()
        await trio.sleep(0.25)
        await post.address.ask(CheckNow(), timeout=2)
        await post.address.ask(CheckNow(), timeout=2)
        await trio.sleep(5)
        await post.address.ask(CheckNow(), timeout=0.1)
        assert [at - post.began for at in thing.looks] == pytest.approx([0, 1, 2, 7])


async def test_a_look_that_breaks_ends_its_probe_only(autojump_clock: trio.testing.MockClock):
    """Nothing is reported of it; the next life of the probe looks again."""
    thing = Thing(breaks=True)
    async with posted(thing) as post:
        course = await post.report()
    assert len(thing.looks) == 2
    assert course.retry_count == 0


async def test_a_sign_of_return_is_a_reason_to_look(autojump_clock: trio.testing.MockClock, failing: Thing):
    """But not while the service is known to be healthy, and not of another's return."""
    async with posted(failing, signs=Triggers(of_return=("services/postgres",))) as post:
        await post.report()
        failing.sight = healthy("back")
        await trio.sleep(1)
        post.bus.publish(ChildStarted(path="botvisor/services/valkey", restarts=1))
        await trio.sleep(1)
        post.bus.publish(ChildStarted(path="botvisor/services/postgres", restarts=1))
        assert (await post.report()).retry_count == 0
        post.bus.publish(ChildStarted(path="botvisor/services/postgres", restarts=2))
        await trio.sleep(1)
        assert [at - post.began for at in failing.looks] == pytest.approx([0, 2])


async def test_a_sign_of_failure_is_a_reason_to_look(autojump_clock: trio.testing.MockClock):
    """Once: an actor that goes on failing is no reason to give up the backoff."""
    thing = Thing()
    failure = ChildFailed(path="botvisor/database/db_writer", error=OSError("gone"), absence=True, delay=0.2)
    async with posted(thing, signs=Triggers(of_failure=("database/db_writer",))) as post:
        await post.report()
        await trio.sleep(2)
        thing.sight = disconnected("nobody is there")
        for _ in range(5):
            post.bus.publish(failure)
            await trio.sleep(0.5)
        assert (await post.report()).retry_count == 1
        assert [at - post.began for at in thing.looks] == pytest.approx([0, 2])


async def test_the_first_look_may_wait_for_a_sign(autojump_clock: trio.testing.MockClock):
    """For what the tree starts only after the monitor; but not for ever."""
    signs = Triggers(of_return=("web/server",))
    thing, unseen = Thing(), Thing()
    async with posted(thing, signs=signs, first=5) as post, posted(unseen, signs=signs, first=5) as other:
        await trio.sleep(1)
        post.bus.publish(ChildStarted(path="botvisor/web/server", restarts=0))
        await post.report()
        await other.report()
        assert thing.looks[0] - post.began == pytest.approx(1)
        assert unseen.looks[0] - other.began == pytest.approx(5)


async def test_secrets_are_not_reported(autojump_clock: trio.testing.MockClock):
    """Whatever an error quotes, a password in an address is hidden."""
    address = "postgresql://operator:hunter2@db.example/atoz"
    async with posted(Thing(sight=disconnected(f"no way to {address}", f"{address} is away"))) as post:
        seen = (await post.report()).latest
    assert seen is not None
    assert "hunter2" not in f"{seen.evidence} {seen.error}"
    assert "operator:***@db.example" in seen.evidence
