from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Never

import pytest
import trio

from actors.database.messages import Query
from actors.monitor.checks.bots import BotsCheck, evaluate, is_remote
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

from ...database.harness import open_harness
from ...mirror.views import NOW, view, view_of


class FakeController(Actor[ControllerMessage]):
    """Replies with the running sessions, as the session controller does."""

    def __init__(self, running: list[SessionView]) -> None:
        self._running = running

    async def handle(self, message: ControllerMessage) -> object:
        assert isinstance(message, SessionsViewQuery)
        return SessionsView(sessions=tuple(self._running))


@dataclass(slots=True, kw_only=True)
class Sessions:
    """A session controller, a fleet, and a check of them."""

    check: BotsCheck
    fleet: Address[SupervisorMessage]
    bus: Bus
    running: list[SessionView] = field(default_factory=list)


@asynccontextmanager
async def open_sessions(reader: Address[Query], *, timeout: float = 2.0) -> AsyncGenerator[Sessions, None]:
    session_controller, fleet, bus = (
        Address[ControllerMessage]("session_controller"),
        Address[SupervisorMessage]("fleet"),
        Bus(),
    )
    opened = Sessions(
        check=BotsCheck(session_controller, fleet, reader, owner="here", timeout=timeout),
        fleet=fleet,
        bus=bus,
    )
    spec = SupervisorSpec(
        address=Address("sessions"),
        children=(
            SupervisorSpec(address=fleet, dynamic=True, backoff=Backoff(minimum=60, maximum=60)),
            ChildSpec(address=session_controller, start=lambda: FakeController(opened.running)),
        ),
    )
    async with open_system(spec, bus=bus):
        yield opened


async def test_no_session_is_healthy(database: str):
    """When none is desired."""
    async with open_harness(database) as record, open_sessions(record.reader) as bots:
        result = await bots.check()
    assert result.status is ServiceStatus.HEALTHY
    assert result.evidence == "0 running here, 0 desired, 0 restarts"


async def test_a_missing_session_is_unhealthy(database: str):
    """The error names it."""
    async with open_harness(database) as record, open_sessions(record.reader) as bots:
        row = await record.session("night shift")
        missed = await bots.check()
        bots.running.append(view_of(row))
        there = await bots.check()
    assert (missed.status, missed.error) == (
        ServiceStatus.UNHEALTHY,
        f"{row.session_name} should run here and does not",
    )
    assert missed.evidence == "0 running here, 1 desired, 0 restarts"
    assert there.status is ServiceStatus.HEALTHY


async def test_a_crashed_session_is_unhealthy(database: str):
    """While it is down, with its error."""
    async with open_harness(database) as record, open_sessions(record.reader) as bots:
        session: Address[Never] = Address("session.1")
        await bots.fleet.ask(StartChild(spec=ChildSpec(address=session, start=Actor[Never])), timeout=2)
        assert (await bots.check()).status is ServiceStatus.HEALTHY
        with bots.bus.subscribe(ChildFailed) as failures, trio.fail_after(5):
            crash(session, ValueError("the page made no sense"))
            await next_event(failures, ChildFailed)
        result = await bots.check()
    assert result.status is ServiceStatus.UNHEALTHY
    assert result.error == "session.1 is down: the page made no sense"


async def test_without_the_database_the_status_is_unknown():
    """As the desired sessions are."""
    reader: Address[Query] = Address("db_reader")
    async with open_sessions(reader, timeout=0.1) as bots:
        bots.running.append(view())
        result = await bots.check()
    assert result.status is ServiceStatus.UNKNOWN
    assert result.error is not None
    assert "1 running here, an unknown number desired" in result.error


async def test_a_silent_controller_is_unhealthy():
    """The error names it."""
    session_controller, fleet = (
        TestProbe(Address[ControllerMessage]("session_controller")),
        Address[SupervisorMessage]("fleet"),
    )
    check = BotsCheck(session_controller.address, fleet, Address("db_reader"), owner="here", timeout=0.05)
    result = await check()
    assert result.status is ServiceStatus.UNHEALTHY
    assert result.error is not None
    assert "cannot list the running sessions: session_controller gave no answer" in result.error


def test_a_session_that_cannot_log_in_is_unhealthy():
    """A failed one as well."""
    refused = replace(view("early shift"), login_status=LoginStatus.FAILED, message="Wrong password.")
    failed = replace(view("late shift"), status=SessionStatus.FAILED)
    result = evaluate([refused, failed, view()], [], [])
    assert result.status is ServiceStatus.UNHEALTHY
    assert result.error == ("early shift cannot log in: Wrong password.; late shift failed: reason unknown")


@pytest.mark.parametrize(
    ("owner", "lease", "remote"),
    [
        (None, None, False),
        ("here", 10, False),
        ("here", -10, False),
        ("there", 10, True),
        ("there", -10, False),
        ("there", None, False),
    ],
)
async def test_a_session_is_remote_while_its_lease_lasts(
    database: str, owner: str | None, lease: int | None, remote: bool
):
    """And another instance holds it."""
    async with open_harness(database) as record:
        row = await record.session()
    until = None if lease is None else NOW + timedelta(seconds=lease)
    assert is_remote(replace(row, owner=owner, lease_until=until), "here", NOW) is remote
