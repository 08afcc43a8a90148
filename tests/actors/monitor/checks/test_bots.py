from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Never

import pytest
import trio

from actors.database.messages import Query
from actors.monitor.checks.bots import BotsCheck, is_anothers, judge
from actors.monitor.status import ServiceStatus
from actors.sessions.messages import (
    ControllerMessage,
    LoginStatus,
    SessionStatus,
    SessionsView,
    SessionsViewQuery,
    SessionView,
)
from runtime import (
    Actor,
    Address,
    Backoff,
    Bus,
    ChildFailed,
    ChildSpec,
    StartChild,
    SupervisorMessage,
    SupervisorSpec,
    open_system,
)
from runtime.testing import TestProbe, crash, next_event

from ...database.records import open_record
from ...mirror.views import NOW, view, view_of


class Desk(Actor[ControllerMessage]):
    """Says who is on duty, as the session_controller does."""

    def __init__(self, on_duty: list[SessionView]) -> None:
        self._on_duty = on_duty

    async def handle(self, message: ControllerMessage) -> object:
        assert isinstance(message, SessionsViewQuery)
        return SessionsView(sessions=tuple(self._on_duty))


@dataclass(slots=True, kw_only=True)
class Floor:
    """A session_controller, a fleet, and who looks at them."""

    look: BotsCheck
    fleet: Address[SupervisorMessage]
    bus: Bus
    on_duty: list[SessionView] = field(default_factory=list)


@asynccontextmanager
async def floor(reader: Address[Query], *, timeout: float = 2.0) -> AsyncGenerator[Floor, None]:
    session_controller, fleet, bus = (
        Address[ControllerMessage]("session_controller"),
        Address[SupervisorMessage]("fleet"),
        Bus(),
    )
    opened = Floor(
        look=BotsCheck(session_controller, fleet, reader, owner="here", timeout=timeout), fleet=fleet, bus=bus
    )
    spec = SupervisorSpec(
        address=Address("sessions"),
        children=(
            SupervisorSpec(address=fleet, dynamic=True, backoff=Backoff(minimum=60, maximum=60)),
            ChildSpec(address=session_controller, start=lambda: Desk(opened.on_duty)),
        ),
    )
    async with open_system(spec, bus=bus):
        yield opened


async def test_nobody_is_wanted_and_nobody_is_there(database: str):
    """Which is as it should be."""
    async with open_record(database) as record, floor(record.reader) as bots:
        sight = await bots.look()
    assert sight.status is ServiceStatus.HEALTHY
    assert sight.evidence == "0 on duty, 0 wanted on record, 0 restarts"


async def test_who_is_wanted_should_be_on_duty(database: str):
    """And is missed by name."""
    async with open_record(database) as record, floor(record.reader) as bots:
        row = await record.session("night shift")
        missed = await bots.look()
        bots.on_duty.append(view_of(row))
        there = await bots.look()
    assert (missed.status, missed.error) == (
        ServiceStatus.UNHEALTHY,
        f"{row.session_name} is wanted and not on duty",
    )
    assert missed.evidence == "0 on duty, 1 wanted on record, 0 restarts"
    assert there.status is ServiceStatus.HEALTHY


async def test_a_crashed_session_is_unhealthy(database: str):
    """For as long as it is down, with what it crashed of."""
    async with open_record(database) as record, floor(record.reader) as bots:
        session: Address[Never] = Address("session.1")
        await bots.fleet.ask(StartChild(spec=ChildSpec(address=session, start=Actor[Never])), timeout=2)
        assert (await bots.look()).status is ServiceStatus.HEALTHY
        with bots.bus.subscribe(ChildFailed) as failures, trio.fail_after(5):
            crash(session, ValueError("the page made no sense"))
            await next_event(failures, ChildFailed)
        sight = await bots.look()
    assert sight.status is ServiceStatus.UNHEALTHY
    assert sight.error == "session.1 is down: the page made no sense"


async def test_without_the_record_nobody_knows_who_is_wanted():
    """So whether all is well is unknown, and said to be so at once."""
    reader: Address[Query] = Address("db_reader")
    async with floor(reader, timeout=0.1) as bots:
        bots.on_duty.append(view())
        sight = await bots.look()
    assert sight.status is ServiceStatus.UNKNOWN
    assert sight.error is not None
    assert "1 on duty, an unknown number wanted on record" in sight.error


async def test_a_roster_that_does_not_answer_is_unhealthy():
    """As nobody says who is on duty."""
    session_controller, fleet = (
        TestProbe(Address[ControllerMessage]("session_controller")),
        Address[SupervisorMessage]("fleet"),
    )
    look = BotsCheck(session_controller.address, fleet, Address("db_reader"), owner="here", timeout=0.05)
    sight = await look()
    assert sight.status is ServiceStatus.UNHEALTHY
    assert sight.error is not None
    assert "nobody says which sessions are on duty: session_controller gave no answer" in sight.error


def test_a_session_that_cannot_log_in_is_unhealthy():
    """It is on duty, and does no work."""
    refused = replace(view("early shift"), login_status=LoginStatus.FAILED, message="Wrong password.")
    failed = replace(view("late shift"), status=SessionStatus.FAILED)
    sight = judge([refused, failed, view()], [], [])
    assert sight.status is ServiceStatus.UNHEALTHY
    assert sight.error == (
        "early shift cannot log in: Wrong password.; late shift failed: no reason is known"
    )


@pytest.mark.parametrize(
    ("owner", "lease", "anothers"),
    [
        (None, None, False),
        ("here", 10, False),
        ("here", -10, False),
        ("there", 10, True),
        ("there", -10, False),
        ("there", None, False),
    ],
)
async def test_who_has_a_session(database: str, owner: str | None, lease: int | None, anothers: bool):
    """Another instance, for as long as its lease lasts; whoever nobody has is missed here."""
    async with open_record(database) as record:
        row = await record.session()
    until = None if lease is None else NOW + timedelta(seconds=lease)
    assert is_anothers(replace(row, owner=owner, lease_until=until), "here", NOW) is anothers
