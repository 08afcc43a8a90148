"""Two instances on one database: a configuration that one changes, the other follows at once."""

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

from ..database.records import Record, open_record, settings
from ..sessions.board import Board
from ..sessions.session.test_session import job, on_stage

SOON = 2.0
"""Seconds; without the notifier it is half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What one process has: a bus, a notifier, and a record."""

    bus: Bus
    record: Record
    notifiers: System

    async def change(self, **values: object) -> None:
        """As the API does."""
        await self.record.write(ChangeConfiguration(changes=ConfigurationChanges(**values)))


@asynccontextmanager
async def notifier(dsn: str, bus: Bus) -> AsyncGenerator[System, None]:
    """Run one on this bus."""
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
    async with open_record(dsn, bus=bus) as record, notifier(dsn, bus) as notifiers:
        yield Instance(bus=bus, record=record, notifiers=notifiers)


async def know_each_other(*notifiers: System) -> None:
    """Else what is told at first might be heard twice: by itself, and when they see each other."""
    others = len(notifiers) - 1
    with trio.fail_after(10):
        for one in notifiers:
            while one.snapshot().children[0].detail["others"] != others:  # noqa: ASYNC110 - no event tells of it
                await trio.sleep(0.01)


async def test_a_change_is_published_elsewhere_as_it_is_here(database: str) -> None:
    """With all of the configuration, so that the other's clients are told the same."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with (
            here.bus.subscribe(ConfigurationChanged) as told,
            there.bus.subscribe(ConfigurationChanged) as heard,
        ):
            await here.change(max_accept_per_run=9, check_interval_seconds=Decimal("2.5"))
            night = CreateConfiguration(id=uuid4(), config_name="Night")
            await here.record.write(night)
            await here.record.write(ActivateConfiguration(config_id=night.id))
            with trio.fail_after(SOON):
                for _ in range(2):
                    change = await next_event(told, ConfigurationChanged)
                    assert await next_event(heard, ConfigurationChanged) == replace(change, elsewhere=True)
            # And back: what one has heard he does not tell again.
            await there.change(max_accept_per_run=8)
            with trio.fail_after(SOON):
                assert (await next_event(told, ConfigurationChanged)).elsewhere
                assert not (await next_event(heard, ConfigurationChanged)).elsewhere
            await know_each_other(here.notifiers, there.notifiers)
            assert (told.drain(), heard.drain()) == ([], [])


async def test_that_sessions_should_read_again_is_told_elsewhere(database: str) -> None:
    """Whoever changed the database by hand need not ask each instance."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with there.bus.subscribe(ConfigurationRefreshRequested) as heard:
            here.bus.publish(ConfigurationRefreshRequested())
            with trio.fail_after(SOON):
                assert (await next_event(heard, ConfigurationRefreshRequested)).elsewhere


async def test_a_session_follows_what_another_instance_changed(database: str) -> None:
    """At once, although its next look was ten minutes away and nobody asked it to read again."""
    board = Board()
    async with (
        on_stage(database, board, rules="check_interval_seconds = 600") as there,
        notifier(database, there.bus) as notifiers,
        instance(database) as here,
    ):
        await know_each_other(notifiers, here.notifiers)
        while board.looks == 0:
            await board.look()
        board.add(job("A", job_type="Video"), job("B"))
        with trio.fail_after(SOON):
            await here.change(check_interval_seconds=Decimal("0.05"), job_type_filter="Video")
            while len(board.clicks) < 2:
                await board.look()
        assert board.clicks == ["accept A", "reject B"]


async def test_what_was_told_while_nobody_listened_is_read_afterwards(database: str) -> None:
    """A session reads its configuration again when its notifier is back."""
    async with instance(database) as here, instance(database) as there:
        await know_each_other(here.notifiers, there.notifiers)
        with there.bus.subscribe(ConfigurationRefreshRequested) as heard:
            await here.record.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor notifier' and datname = current_database()"
            )
            with trio.fail_after(10):
                assert (await next_event(heard, ConfigurationRefreshRequested)).elsewhere
