"""The monitor's whole branch with real servers, which are frozen, killed and restarted."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import trio

from actors.monitor.messages import (
    CheckNow,
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    ServiceChanged,
)
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
    """The defaults, with a web server on a closed port."""
    loaded = load_settings(None, {}, ("web.port=1",))
    return replace(loaded, monitor=LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMonitor:
    """A running monitor, and the changes that it publishes."""

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
async def open_monitor(data_dir: DataDir) -> AsyncGenerator[RunningMonitor, None]:
    """The branches ``services`` and ``monitor`` as in the real tree, without sessions and web server."""
    bus, health_registry = Bus(), Address[MonitorMessage]("health_registry")
    probes: dict[ServiceName, Address[CheckNow]] = {name: Address(f"probe.{name}") for name in ServiceName}
    chosen = settings()
    context = ProbeContext(
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
    fast = Backoff(minimum=0.5, maximum=0.5, jitter=0)
    spec = SupervisorSpec(
        address=Address("botvisor"),
        children=(
            SupervisorSpec(
                address=Address("services"),
                children=(
                    ChildSpec(
                        address=Address("postgres"), start=lambda: PostgresServer(data_dir), backoff=fast
                    ),
                    ChildSpec(address=Address("valkey"), start=lambda: ValkeyServer(data_dir), backoff=fast),
                ),
            ),
            SupervisorSpec(
                address=Address("monitor"),
                children=(
                    *(
                        ChildSpec(address=address, start=partial(make_probe, name, health_registry, context))
                        for name, address in probes.items()
                    ),
                    ChildSpec(address=health_registry, start=lambda: make_health_registry(probes, chosen)),
                ),
            ),
        ),
    )
    with bus.subscribe(ServiceChanged, capacity=1000) as changes:
        async with open_system(spec, bus=bus) as system:
            yield RunningMonitor(health_registry=health_registry, system=system, changes=changes)


async def test_each_service_has_its_own_status(data_dir: DataDir):
    """Two servers run; there is no session controller, no portal and no web server."""
    async with open_monitor(data_dir) as monitor:
        view = await monitor.health_registry.ask(ForceCheck(), timeout=10)
        found = {service.name: (service.status, service.error) for service in view.services}
    assert found[ServiceName.DATABASE] == found[ServiceName.REDIS] == (ServiceStatus.HEALTHY, None)
    assert found[ServiceName.BOT_PROCESS] == (
        ServiceStatus.UNHEALTHY,
        "cannot list the running sessions: "
        "session_controller gave no answer to SessionsViewQuery within 0.25 s",
    )
    assert found[ServiceName.EXTERNAL_API][0] is ServiceStatus.DISCONNECTED
    assert found[ServiceName.WEBSOCKET] == (
        ServiceStatus.DISCONNECTED,
        "nothing listens at ws://127.0.0.1:1/ws",
    )
    assert len(view.blocking_issues) == 2


async def test_a_killed_server_is_disconnected_until_its_restart(data_dir: DataDir):
    """Triggers make the checks early, long before the next regular one; only that service changes."""
    async with open_monitor(data_dir) as monitor:
        await monitor.becomes(ServiceName.REDIS, ServiceStatus.HEALTHY)
        os.kill(monitor.pid("valkey"), signal.SIGKILL)
        with trio.fail_after(5):
            gone = await monitor.becomes(ServiceName.REDIS, ServiceStatus.DISCONNECTED)
            assert "valkey.sock is unavailable" in gone.message
            back = await monitor.becomes(ServiceName.REDIS, ServiceStatus.HEALTHY)
        assert back.previous is ServiceStatus.DISCONNECTED
        assert (back.service.retry_count, back.service.error) == (0, None)
        database = (await monitor.view()).service("database")
        assert database is not None
        assert database.status is ServiceStatus.HEALTHY


async def test_a_frozen_database_is_unhealthy_until_it_continues(data_dir: DataDir):
    """Its process runs, so only a check finds it; retries find it healthy again."""
    async with open_monitor(data_dir) as monitor:
        await monitor.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        pid = postmaster(data_dir.postgres)
        os.kill(pid, signal.SIGSTOP)
        try:
            view = await monitor.health_registry.ask(ForceCheck(), timeout=10)
        finally:
            os.kill(pid, signal.SIGCONT)
        database = view.service("database")
        assert database is not None
        assert (database.status, database.error) == (ServiceStatus.UNHEALTHY, "no answer within 1 s")
        assert view.blocking_issues[0] == "database is unhealthy: no answer within 1 s"
        await monitor.becomes(ServiceName.DATABASE, ServiceStatus.UNHEALTHY)
        await monitor.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)


async def test_a_killed_database_is_disconnected_until_its_restart(data_dir: DataDir):
    """As its checks find."""
    async with open_monitor(data_dir) as monitor:
        await monitor.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
        os.kill(monitor.pid("postgres"), signal.SIGKILL)
        gone = await monitor.becomes(ServiceName.DATABASE, ServiceStatus.DISCONNECTED)
        assert "is unavailable" in gone.message
        await monitor.becomes(ServiceName.DATABASE, ServiceStatus.HEALTHY)
