from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
import trio
import trio.testing

from actors.database.errors import DatabaseOutage, NoSuchConfiguration, NoSuchSession
from actors.database.messages import Query, Write
from actors.database.rows import SessionRow
from actors.database.sessions.messages import SessionsQuery
from actors.queue.messages import QueueMessage
from actors.queue.worker.handler import Gate
from actors.sessions.controller.active_sessions import SessionsConfig, child_name
from actors.sessions.controller.session_controller import SessionController
from actors.sessions.events import SessionChanged, SessionEventRecorded
from actors.sessions.messages import (
    AlreadyRunning,
    ControllerMessage,
    DispatchCommand,
    NoActiveSession,
    NoSuchPortal,
    ResetSession,
    ResetSessions,
    ResumeSession,
    SessionNotRunningHere,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSession,
    StopSessions,
    TooManySessions,
)
from actors.sessions.session.commands import CheckJobs, CommandRefused
from actors.sessions.session.session import Session
from actors.sessions.session.session_state import DatabaseActors
from runtime import (
    Address,
    Backoff,
    Bus,
    ChildSpec,
    ChildSpecQuery,
    SupervisorMessage,
    SupervisorSpec,
    TerminateChild,
    open_system,
)
from runtime.testing import TestProbe, crash, next_event

from ...database.harness import DatabaseHarness, open_harness
from ..fake_portal import FakePortal, database_actors, session_context


@dataclass
class ControllerHarness:
    """A session controller with a real database and sessions on a portal in memory."""

    session_controller: Address[ControllerMessage]
    fleet: Address[SupervisorMessage]
    bus: Bus
    db: DatabaseHarness
    gate: Gate
    deleted_logins: list[UUID]
    portal: FakePortal

    async def sessions(self) -> list[SessionRow]:
        return await self.db.read(SessionsQuery())

    async def running(self) -> None:
        """Wait until the first session is at work."""
        with self.bus.subscribe(SessionChanged) as changes:
            while not any(view.status == "running" for view in await self.local()):
                await next_event(changes, SessionChanged)

    async def spec(self, session: UUID) -> ChildSpec:
        spec = await self.fleet.ask(ChildSpecQuery(id=child_name(session)), timeout=5)
        assert isinstance(spec, ChildSpec)
        return spec

    async def local(self) -> tuple[SessionView, ...]:
        return (await self.session_controller.ask(SessionsViewQuery(), timeout=5)).sessions


def config(*, autostart: bool = False) -> SessionsConfig:
    return SessionsConfig(
        portal="fake",
        engine="http",
        autostart=autostart,
        session_name="",
        max_sessions=3,
        owner="here",
        lease_seconds=60.0,
        shared=False,
    )


@asynccontextmanager
async def open_controller(
    database: str, *, autostart: bool = False, queue: Address[QueueMessage] | None = None
) -> AsyncGenerator[ControllerHarness, None]:
    bus, portal, gate = Bus(), FakePortal(), Gate("not started yet")
    deleted_logins: list[UUID] = []

    async def delete_saved_login(session: UUID) -> None:
        deleted_logins.append(session)

    session_controller: Address[ControllerMessage] = Address("session_controller")
    fleet: Address[SupervisorMessage] = Address("fleet")
    backoff = Backoff(minimum=0.01, maximum=0.01)
    async with open_harness(database) as db:

        async def make_spec(row: SessionRow) -> ChildSpec:
            if row.portal != "fake":
                raise NoSuchPortal(f"there is no portal {row.portal!r}")
            return ChildSpec(
                address=Address(child_name(row.id)),
                start=lambda: Session(session_context(row, portal, db, bus)),
                backoff=backoff,
            )

        spec = SupervisorSpec(
            address=Address("sessions"),
            children=(
                SupervisorSpec(address=fleet, dynamic=True),
                ChildSpec(
                    address=session_controller,
                    start=lambda: SessionController(
                        config(autostart=autostart),
                        make_spec=make_spec,
                        delete_saved_login=delete_saved_login,
                        fleet=fleet,
                        database=database_actors(db),
                        queue=queue,
                        gate=gate,
                        bus=bus,
                    ),
                    backoff=backoff,
                ),
            ),
        )
        with trio.fail_after(30), bus.subscribe(SessionChanged) as changes:
            async with open_system(spec, bus=bus):
                harness = ControllerHarness(session_controller, fleet, bus, db, gate, deleted_logins, portal)
                if autostart:
                    await next_event(changes, SessionChanged)
                yield harness


async def test_a_session_is_started_once_and_stopped_once(database: str) -> None:
    """What the operator sees, and what is in the database."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(session_name="mine", alone=True), timeout=5)
        with pytest.raises(AlreadyRunning, match="Bot is already running"):
            await harness.session_controller.ask(StartSession(alone=True), timeout=5)
        with harness.bus.subscribe(SessionEventRecorded) as events:
            (stopped,) = await harness.session_controller.ask(StopSessions(), timeout=10)
            assert [event.type for event in events.drain() if isinstance(event, SessionEventRecorded)][
                -1
            ] == "bot_stopped"
        assert (stopped.id, stopped.session_name, stopped.status) == (view.id, "mine", "stopped")
        with pytest.raises(NoActiveSession, match="No active bot session found"):
            await harness.session_controller.ask(StopSessions(), timeout=5)
        (row,) = await harness.sessions()
        assert (row.status, row.desired, row.end_time is not None) == ("stopped", "stopped", True)
        assert await harness.local() == ()


async def test_a_desired_session_is_resumed(database: str) -> None:
    """By the next controller, with its id and counters."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        await harness.db.sql("update bot_sessions set total_checks = 40, total_accepted = 7")
    async with open_controller(database) as harness:
        with harness.bus.subscribe(SessionChanged) as changes:
            back = (await next_event(changes, SessionChanged)).session
        assert back.id == view.id
        assert back.total_checks >= 40
        assert back.total_accepted == 7


async def test_the_first_session_starts_by_itself_and_only_the_first(database: str) -> None:
    """Autostart is for an empty database; a stopped session stays stopped."""
    async with open_controller(database, autostart=True) as harness:
        assert len(await harness.local()) == 1
        await harness.session_controller.ask(StopSessions(), timeout=10)
    async with open_controller(database) as harness:
        assert await harness.local() == ()
        assert len(await harness.sessions()) == 1


async def test_a_session_that_the_fleet_lost_is_started_again(database: str) -> None:
    """The controller reconciles the fleet with the database."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        await harness.fleet.ask(TerminateChild(id=child_name(view.id)), timeout=10)
        with harness.bus.subscribe(SessionChanged) as changes:
            assert (await next_event(changes, SessionChanged)).session_id == view.id


async def test_local_sessions_are_listed_while_the_database_takes_no_writes(database: str) -> None:
    """A stop that cannot be committed fails and stops nothing; the controller answers meanwhile."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        await harness.running()
        with psycopg.connect(database) as connection:
            connection.execute("lock table bot_sessions in exclusive mode")
            async with trio.open_nursery() as nursery:
                refused = trio.Event()

                async def stop() -> None:
                    with pytest.raises(DatabaseOutage):
                        await harness.session_controller.ask(StopSession(session_id=view.id), timeout=15)
                    refused.set()

                nursery.start_soon(stop)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert [each.id for each in await harness.local()] == [view.id]
                await refused.wait()
        assert [each.id for each in await harness.local()] == [view.id]


async def test_many_sessions_run_at_once_up_to_the_limit(database: str) -> None:
    """One more is refused, and starts nothing; a stop of all ends all."""
    async with open_controller(database) as harness:
        views = [
            await harness.session_controller.ask(StartSession(session_name=name), timeout=5) for name in "abc"
        ]
        with pytest.raises(TooManySessions, match="3 sessions run here"):
            await harness.session_controller.ask(StartSession(), timeout=5)
        with pytest.raises(TooManySessions):
            await harness.session_controller.ask(ResumeSession(session_id=uuid4()), timeout=5)
        assert [view.session_name for view in await harness.local()] == ["a", "b", "c"]
        stopped = await harness.session_controller.ask(StopSessions(), timeout=15)
        assert [view.id for view in stopped] == [view.id for view in views]
        assert {row.status for row in await harness.sessions()} == {"stopped"}
        assert {row.owner for row in await harness.sessions()} == {None}


async def test_an_unknown_portal_or_configuration_starts_nothing(database: str) -> None:
    """And creates no session in the database."""
    async with open_controller(database) as harness:
        with pytest.raises(NoSuchPortal):
            await harness.session_controller.ask(StartSession(portal="nowhere"), timeout=5)
        with pytest.raises(NoSuchConfiguration):
            await harness.session_controller.ask(StartSession(config_id=uuid4()), timeout=5)
        assert await harness.sessions() == []


async def test_commands_are_idempotent(database: str) -> None:
    """Stop, resume and reset of one session by its id, each in every state."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        for _ in range(2):
            stopped = await harness.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            assert (stopped.id, stopped.status) == (view.id, "stopped")
        assert harness.gate.closed_reason
        await harness.db.sql("update bot_sessions set total_checks = 40, total_accepted = 7")
        for _ in range(2):
            back = await harness.session_controller.ask(ResumeSession(session_id=view.id), timeout=15)
            assert (back.id, back.total_accepted) == (view.id, 7)
        assert len(await harness.local()) == 1
        assert harness.gate.closed_reason is None
        for _ in range(2):
            reset = await harness.session_controller.ask(ResetSession(session_id=view.id), timeout=15)
            assert (reset.status, reset.login_status) == ("stopped", "not_started")
        assert harness.deleted_logins == [view.id, view.id]
        assert await harness.session_controller.ask(ResetSessions(), timeout=15) == ()
        for unknown in (StopSession(session_id=uuid4()), ResumeSession(session_id=uuid4())):
            with pytest.raises(NoSuchSession):
                await harness.session_controller.ask(unknown, timeout=5)
        (row,) = await harness.sessions()
        assert (row.total_accepted, row.end_time is None) == (7, False)


async def test_each_state_is_published_in_order(database: str) -> None:
    """Starting, running, stopping, stopped: none is left out."""
    async with open_controller(database) as harness:
        with harness.bus.subscribe(SessionChanged) as changes:
            view = await harness.session_controller.ask(StartSession(), timeout=5)
            # The answer may come before or after the session runs; the events are ordered.
            seen: list[str] = []
            while "running" not in seen:
                seen.append((await next_event(changes, SessionChanged)).session.status)
            await harness.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            while seen[-1] != "stopped":
                seen.append((await next_event(changes, SessionChanged)).session.status)
        # Events of the session itself may arrive after the controller's "stopping".
        assert list(dict.fromkeys(seen)) == ["starting", "running", "stopping", "stopped"]


async def test_a_command_goes_to_the_named_session_or_to_the_first(database: str) -> None:
    """It is refused if the session does not run or does not exist."""
    async with open_controller(database) as harness:
        with pytest.raises(SessionNotRunningHere):
            await harness.session_controller.ask(DispatchCommand(command=CheckJobs()), timeout=5)
        first = await harness.session_controller.ask(StartSession(), timeout=5)
        second = await harness.session_controller.ask(StartSession(), timeout=5)
        for session in (None, first.id, second.id):
            done = await harness.session_controller.ask(
                DispatchCommand(command=CheckJobs(), session_id=session), timeout=10
            )
            assert done["total_jobs"] == 0
        await harness.session_controller.ask(StopSession(session_id=second.id), timeout=15)
        for session in (second.id, uuid4()):
            with pytest.raises(CommandRefused):
                await harness.session_controller.ask(
                    DispatchCommand(command=CheckJobs(), session_id=session), timeout=5
                )


async def test_a_crashed_session_shows_the_error_and_restarts(database: str) -> None:
    """Its state is starting meanwhile, and its message contains the error."""
    async with open_controller(database) as harness:
        view = await harness.session_controller.ask(StartSession(), timeout=5)
        await harness.running()
        with harness.bus.subscribe(SessionChanged) as changes:
            crash((await harness.spec(view.id)).address, ValueError("a bug"))
            changed = (await next_event(changes, SessionChanged)).session
            while changed.status != "starting":
                changed = (await next_event(changes, SessionChanged)).session
            assert "a bug" in (changed.message or "")
            while changed.status != "running":
                changed = (await next_event(changes, SessionChanged)).session
            assert changed.message is None


async def test_a_session_that_crashes_too_often_fails_and_is_retried(database: str) -> None:
    """Its supervisor gives up; the session stays desired, shows the error and runs once the fault is gone."""
    async with open_controller(database) as harness:
        harness.portal.errors["jobs"] = [ValueError("a bug")] * 1000
        with harness.bus.subscribe(SessionChanged, SessionEventRecorded, capacity=4096) as changes:
            view = await harness.session_controller.ask(StartSession(), timeout=5)
            while view.status != "failed":
                view = (await next_event(changes, SessionChanged)).session
            assert "too many crashes, last: a bug" in (view.message or "")
            harness.portal.errors.clear()
            while view.status != "running" or view.login_status != "success":
                view = (await next_event(changes, SessionChanged)).session
            (row,) = await harness.sessions()
            assert (row.id, row.desired) == (view.id, "running")


async def test_the_reason_of_a_failed_reconciliation_is_logged_once(autojump_clock) -> None:
    """Again if the reason changes or returns after it was gone; not every few seconds."""
    reader: TestProbe[Query] = TestProbe(Address("reader"))
    writer: TestProbe[Write] = TestProbe(Address("writer"))
    session_controller: Address[ControllerMessage] = Address("session_controller")
    fleet: Address[SupervisorMessage] = Address("fleet")

    async def never(_: object) -> Never:
        raise AssertionError

    start = lambda: SessionController(  # noqa: E731
        config(),
        make_spec=never,
        delete_saved_login=never,
        fleet=fleet,
        database=DatabaseActors(writer=writer.address, reader=reader.address, journal=Address("journal")),
        queue=None,
        gate=Gate(),
        bus=Bus(),
    )
    spec = SupervisorSpec(
        address=Address("sessions"),
        children=(
            SupervisorSpec(address=fleet, dynamic=True),
            ChildSpec(address=session_controller, start=start),
        ),
    )
    with structlog.testing.capture_logs() as logs:
        async with open_system(spec):
            for reason in ("silent", "silent", "silent", "full", "full", None, "full", "full"):
                asked = await reader.receive(timeout=10)
                if reason is not None:
                    asked.refuse(DatabaseOutage(reason))
                    continue
                asked.reply([])
                (await writer.receive()).reply([])
                (await reader.receive()).reply([])
            await trio.testing.wait_all_tasks_blocked()
    seen = [entry["reason"] for entry in logs if entry["event"] == "reconcile_failed"]
    assert seen == ["silent", "full", "full"]
