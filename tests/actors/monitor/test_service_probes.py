"""The monitor's whole branch beside real servers, which are stopped, killed and brought back."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import trio

from actors.monitor.events import ServiceChanged
from actors.monitor.messages import CheckNow, ForceCheck, HealthQuery, HealthView, MonitorMessage
from actors.monitor.service_probes import ProbeContext, make_health_registry, make_probe
from actors.monitor.status import ServiceName, ServiceStatus
from actors.services import DataDir, PostgresServer, ValkeyServer
from actors.settings import MonitorSettings, Settings, load_settings
from runtime import Address, Backoff, Bus, ChildSpec, Subscription, SupervisorSpec, System, open_system
from runtime.testing import next_event

from .checks.test_database import postmaster

LIMITS = MonitorSettings(
    interval_seconds=60.0,
    retry_delay_seconds=1.0,
    timeout_seconds=1.0,
    max_retries=3,
    stale_after_seconds=90.0,
)


def settings() -> Settings:
    """The defaults, with a web server where nobody listens."""
    loaded = load_settings(None, {}, ("web.port=1",))
    return replace(loaded, monitor=LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A monitor at work."""

    health_registry: Address[MonitorMessage]
    system: System
    changes: Subscription

    async def becomes(self, name: ServiceName, status: ServiceStatus) -> ServiceChanged:
        with trio.fail_after(15):
            while True:
                change = await next_event(self.changes, ServiceChanged)
                if (change.name, change.status) == (name, status):
                    return change

    async def view(self) -> HealthView:
        return await self.health_registry.ask(HealthQuery(), timeout=1)

    def pid(self, name: str) -> int:
        services = self.system.snapshot().children[0]
        found = next(child for child in services.children if child.id == name).detail["pid"]
        assert isinstance(found, int)
        return found


@asynccontextmanager
async def watching(data_dir: DataDir) -> AsyncGenerator[Watch, None]:
    """The branches ``services`` and ``monitor`` as in the real tree, without sessions and web server."""
    bus, health_registry = Bus(), Address[MonitorMessage]("board")
    probes: dict[ServiceName, Address[CheckNow]] = {name: Address(f"probe.{name}") for name in ServiceName}
    chosen = settings()
    around = ProbeContext(
        settings=chosen,
        dsn=PostgresServer(data_dir).dsn,
        redis_url=ValkeyServer(data_dir).url,
        portals={"practice": "http://127.0.0.1:1"},
        owner="here",
        session_controller=Address("session_controller"),
        fleet=Address("fleet"),
        reader=Address("db_reader"),
        bus=bus,
    )
    soon = Backoff(minimum=0.5, maximum=0.5, jitter=0)
    spec = SupervisorSpec(
        address=Address("botvisor"),
        children=(
            SupervisorSpec(
                address=Address("services"),
                children=(
                    ChildSpec(
                        address=Address("postgres"), start=lambda: PostgresServer(data_dir), backoff=soon
                    ),
                    ChildSpec(address=Address("valkey"), start=lambda: ValkeyServer(data_dir), backoff=soon),
                ),
            ),
            SupervisorSpec(
                address=Address("monitor"),
                children=(
                    *(
                        ChildSpec(address=address, start=partial(make_probe, name, health_registry, around))
                        for name, address in probes.items()
                    ),
                    ChildSpec(address=health_registry, start=lambda: make_health_registry(probes, chosen)),
                ),
            ),
        ),
    )
    with bus.subscribe(ServiceChanged, capacity=1000) as changes:
        async with open_system(spec, bus=bus) as system:
            yield Watch(health_registry=health_registry, system=system, changes=changes)


async def test_each_service_is_told_of_as_it_is(data_dir: DataDir):
    """Two servers are there; no session_controller answers, no portal and no web server is there."""
    async with watching(data_dir) as watch:
        view = await watch.health_registry.ask(ForceCheck(), timeout=10)
        told = {service.name: (service.status, service.error) for service in view.services}
    assert told[ServiceName.DATABASE] == told[ServiceName.REDIS] == (ServiceStatus.HEALTHY, None)
    assert told[ServiceName.BOT_PROCESS] == (
        ServiceStatus.UNHEALTHY,
        "nobody says which sessions are on duty: session_controller gave no answer to RosterQuery within 0.25 s",
    )
    assert told[ServiceName.EXTERNAL_API][0] is ServiceStatus.DISCONNECTED
    assert told[ServiceName.WEBSOCKET] == (
        ServiceStatus.DISCONNECTED,
        "nobody listens at ws://127.0.0.1:1/ws",
    )
    assert len(view.hindrances) == 2


async def test_a_killed_server_is_seen_to_go_and_to_return(data_dir: DataDir):
    """Within moments, though the next regular look would be a minute away; and only that service changes."""
    async with watching(data_dir) as watch:
        await watch.becomes(ServiceName.REDIS, ServiceStatus.HEALTHY)
        os.kill(watch.pid("valkey"), signal.SIGKILL)
        with trio.fail_after(5):
            gone = await watch.becomes(ServiceName.REDIS, ServiceStatus.DISCONNECTED)
            assert "valkey.sock is away" in gone.message
            back = await watch.becomes(ServiceName.REDIS, ServiceStatus.HEALTHY)
        assert back.previous is ServiceStatus.DISCONNECTED
        assert (back.service.retry_count, back.service.error) == (0, None)
        database = (await watch.view()).service("database")
        assert database is not None
        assert database.status is ServiceStatus.HEALTHY


async def test_a_database_that_freezes_is_unhealthy_until_it_thaws(data_dir: DataDir):
    """Its process lives, so only a look can tell; retries find it healthy again."""
    async with watching(data_dir) as watch:
        await watch.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        pid = postmaster(data_dir.postgres)
        os.kill(pid, signal.SIGSTOP)
        try:
            view = await watch.health_registry.ask(ForceCheck(), timeout=10)
        finally:
            os.kill(pid, signal.SIGCONT)
        database = view.service("database")
        assert database is not None
        assert (database.status, database.error) == (ServiceStatus.UNHEALTHY, "no answer within 1 s")
        assert view.hindrances[0] == "database is unhealthy: no answer within 1 s"
        await watch.becomes(ServiceName.DATABASE, ServiceStatus.UNHEALTHY)
        await watch.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)


async def test_a_killed_database_is_seen_to_go_and_to_return(data_dir: DataDir):
    """Not by its process, but by looks at it."""
    async with watching(data_dir) as watch:
        await watch.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        os.kill(watch.pid("postgres"), signal.SIGKILL)
        gone = await watch.becomes(ServiceName.DATABASE, ServiceStatus.DISCONNECTED)
        assert "is away" in gone.message
        await watch.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
