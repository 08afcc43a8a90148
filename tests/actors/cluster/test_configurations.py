"""Two instances on one database: a configuration changed in one applies in the other at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import uuid4

import trio

from actors.cluster.notifier import Notifier
from actors.database.configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationChanges,
    CreateConfiguration,
)
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from runtime import Address, Backoff, Bus, ChildSpec, SupervisorSpec, System, open_system
from runtime.testing import next_event

from ..database.harness import DatabaseHarness, open_harness, settings
from ..sessions.fake_portal import FakePortal
from ..sessions.session.test_session import job, open_session_harness

SOON = 2.0
"""Seconds; without the notifier it is half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance: a bus, a notifier, and the database actors."""

    bus: Bus
    harness: DatabaseHarness
    notifiers: System

    async def change(self, **values: object) -> None:
        """Change the active configuration, as the API does."""
        await self.harness.write(ChangeConfiguration(changes=ConfigurationChanges(**values)))


@asynccontextmanager
async def notifier(dsn: str, bus: Bus) -> AsyncGenerator[System, None]:
    """Run a notifier on this bus."""
    spec = ChildSpec(
        address=Address("notifier"),
        start=lambda: Notifier(settings(), dsn, bus),
        backoff=Backoff(minimum=0.02, maximum=0.2),
    )
    async with open_system(
        SupervisorSpec(address=Address("cluster"), children=(spec,)), bus=bus
    ) as notifiers:
        yield notifiers


@asynccontextmanager
async def instance(dsn: str) -> AsyncGenerator[Instance, None]:
    bus = Bus()
    async with open_harness(dsn, bus=bus) as harness, notifier(dsn, bus) as notifiers:
        yield Instance(bus=bus, harness=harness, notifiers=notifiers)


async def know_each_other(*notifiers: System) -> None:
    """Wait until all notifiers count each other; before that, an event may arrive twice."""
    peers = len(notifiers) - 1
    with trio.fail_after(10):
        for one in notifiers:
            while one.snapshot().children[0].detail["peers"] != peers:  # noqa: ASYNC110 - no event reports it
                await trio.sleep(0.01)


async def test_a_change_is_published_in_all_instances(database: str) -> None:
    """With the whole configuration, so that the clients of all instances receive the same."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with (
            here.bus.subscribe(ConfigurationChanged) as here_events,
            there.bus.subscribe(ConfigurationChanged) as there_events,
        ):
            await here.change(max_accept_per_run=9, check_interval_seconds=Decimal("2.5"))
            night = CreateConfiguration(id=uuid4(), config_name="Night")
            await here.harness.write(night)
            await here.harness.write(ActivateConfiguration(config_id=night.id))
            with trio.fail_after(SOON):
                for _ in range(2):
                    change = await next_event(here_events, ConfigurationChanged)
                    assert await next_event(there_events, ConfigurationChanged) == replace(
                        change, remote=True
                    )
            # And back: what one has there_events he does not tell again.
            await there.change(max_accept_per_run=8)
            with trio.fail_after(SOON):
                assert (await next_event(here_events, ConfigurationChanged)).remote
                assert not (await next_event(there_events, ConfigurationChanged)).remote
            await know_each_other(here.notifiers, there.notifiers)
            assert (here_events.drain(), there_events.drain()) == ([], [])


async def test_a_refresh_request_reaches_all_instances(database: str) -> None:
    """After a change by hand it is enough to ask one instance."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with there.bus.subscribe(ConfigurationRefreshRequested) as there_events:
            here.bus.publish(ConfigurationRefreshRequested())
            with trio.fail_after(SOON):
                assert (await next_event(there_events, ConfigurationRefreshRequested)).remote


async def test_a_session_follows_a_change_of_another_instance(database: str) -> None:
    """At once, although its next check is ten minutes away."""
    portal = FakePortal()
    async with (
        open_session_harness(database, portal, rules="check_interval_seconds = 600") as there,
        notifier(database, there.bus) as notifiers,
        instance(database) as here,
    ):
        await know_each_other(notifiers, here.notifiers)
        while portal.checks == 0:
            await portal.wait_for_checks()
        portal.add(job("A", job_type="Video"), job("B"))
        with trio.fail_after(SOON):
            await here.change(check_interval_seconds=Decimal("0.05"), job_type_filter="Video")
            while len(portal.clicks) < 2:
                await portal.wait_for_checks()
        assert portal.clicks == ["accept A", "reject B"]


async def test_after_an_outage_configurations_are_read_again(database: str) -> None:
    """A session reads its configuration again when its notifier has reconnected."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with there.bus.subscribe(ConfigurationRefreshRequested) as there_events:
            await here.harness.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor notifier' and datname = current_database()"
            )
            with trio.fail_after(10):
                assert (await next_event(there_events, ConfigurationRefreshRequested)).remote
