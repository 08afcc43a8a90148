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
from actors.sessions.controller.active_sessions import child_name
from actors.sessions.controller.session_controller import SessionController
from actors.sessions.controller.sessions_config import SessionsConfig
from actors.sessions.database_actors import DatabaseActors
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
from ..board import Board, assignment, database_actors


@dataclass
class Post:
    """A session_controller on duty, with a real record and sessions on a board."""

    session_controller: Address[ControllerMessage]
    fleet: Address[SupervisorMessage]
    bus: Bus
    record: DatabaseHarness
    gate: Gate
    forgotten: list[UUID]
    board: Board

    async def sessions(self) -> list[SessionRow]:
        return await self.record.read(SessionsQuery())

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
        portal="board",
        engine="http",
        autostart=autostart,
        session_name="",
        max_sessions=3,
        owner="here",
        lease_seconds=60.0,
        shared=False,
    )


@asynccontextmanager
async def on_post(
    database: str, *, autostart: bool = False, queue: Address[QueueMessage] | None = None
) -> AsyncGenerator[Post, None]:
    bus, board, gate = Bus(), Board(), Gate("nobody is here yet")
    forgotten: list[UUID] = []

    async def delete_saved_login(session: UUID) -> None:
        forgotten.append(session)

    session_controller: Address[ControllerMessage] = Address("session_controller")
    fleet: Address[SupervisorMessage] = Address("fleet")
    backoff = Backoff(minimum=0.01, maximum=0.01)
    async with open_harness(database) as record:

        async def make_spec(row: SessionRow) -> ChildSpec:
            if row.portal != "board":
                raise NoSuchPortal(f"there is no portal {row.portal!r}")
            return ChildSpec(
                address=Address(child_name(row.id)),
                start=lambda: Session(assignment(row, board, record, bus)),
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
                        database=database_actors(record),
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
                post = Post(session_controller, fleet, bus, record, gate, forgotten, board)
                if autostart:
                    await next_event(changes, SessionChanged)
                yield post


async def test_a_session_is_started_once_and_stopped_once(database: str) -> None:
    """What the operator sees, and what is on record."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(session_name="mine", alone=True), timeout=5)
        with pytest.raises(AlreadyRunning, match="Bot is already running"):
            await post.session_controller.ask(StartSession(alone=True), timeout=5)
        with post.bus.subscribe(SessionEventRecorded) as facts:
            (stopped,) = await post.session_controller.ask(StopSessions(), timeout=10)
            assert [event.type for event in facts.drain() if isinstance(event, SessionEventRecorded)][
                -1
            ] == "bot_stopped"
        assert (stopped.id, stopped.session_name, stopped.status) == (view.id, "mine", "stopped")
        with pytest.raises(NoActiveSession, match="No active bot session found"):
            await post.session_controller.ask(StopSessions(), timeout=5)
        (row,) = await post.sessions()
        assert (row.status, row.desired, row.end_time is not None) == ("stopped", "stopped", True)
        assert await post.local() == ()


async def test_a_session_that_should_run_is_brought_back(database: str) -> None:
    """By the next session_controller, with its id and its counters."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(), timeout=5)
        await post.record.sql("update bot_sessions set total_checks = 40, total_accepted = 7")
    async with on_post(database) as post:
        with post.bus.subscribe(SessionChanged) as changes:
            back = (await next_event(changes, SessionChanged)).session
        assert back.id == view.id
        assert back.total_checks >= 40
        assert back.total_accepted == 7


async def test_the_first_session_starts_by_itself_and_only_the_first(database: str) -> None:
    """Autostart is for an empty record; a session that was stopped stays so."""
    async with on_post(database, autostart=True) as post:
        assert len(await post.local()) == 1
        await post.session_controller.ask(StopSessions(), timeout=10)
    async with on_post(database) as post:
        assert await post.local() == ()
        assert len(await post.sessions()) == 1


async def test_a_session_that_the_fleet_lost_is_started_again(database: str) -> None:
    """The record says who should run, and the session_controller makes it so."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(), timeout=5)
        await post.fleet.ask(TerminateChild(id=child_name(view.id)), timeout=10)
        with post.bus.subscribe(SessionChanged) as changes:
            assert (await next_event(changes, SessionChanged)).session_id == view.id


async def test_who_is_on_duty_is_known_while_the_record_takes_no_writes(database: str) -> None:
    """A stop that cannot be committed fails and stops nothing; the session_controller answers meanwhile."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(), timeout=5)
        await post.running()
        with psycopg.connect(database) as connection:
            connection.execute("lock table bot_sessions in exclusive mode")
            async with trio.open_nursery() as nursery:
                refused = trio.Event()

                async def stop() -> None:
                    with pytest.raises(DatabaseOutage):
                        await post.session_controller.ask(StopSession(session_id=view.id), timeout=15)
                    refused.set()

                nursery.start_soon(stop)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert [each.id for each in await post.local()] == [view.id]
                await refused.wait()
        assert [each.id for each in await post.local()] == [view.id]


async def test_many_sessions_run_at_once_up_to_the_limit(database: str) -> None:
    """One more is refused, and starts nothing; a stop of all ends all."""
    async with on_post(database) as post:
        views = [
            await post.session_controller.ask(StartSession(session_name=name), timeout=5) for name in "abc"
        ]
        with pytest.raises(TooManySessions, match="3 sessions run here"):
            await post.session_controller.ask(StartSession(), timeout=5)
        with pytest.raises(TooManySessions):
            await post.session_controller.ask(ResumeSession(session_id=uuid4()), timeout=5)
        assert [view.session_name for view in await post.local()] == ["a", "b", "c"]
        stopped = await post.session_controller.ask(StopSessions(), timeout=15)
        assert [view.id for view in stopped] == [view.id for view in views]
        assert {row.status for row in await post.sessions()} == {"stopped"}
        assert {row.owner for row in await post.sessions()} == {None}


async def test_a_portal_or_configuration_that_is_not_there_starts_nothing(database: str) -> None:
    """And nothing is wanted on record."""
    async with on_post(database) as post:
        with pytest.raises(NoSuchPortal):
            await post.session_controller.ask(StartSession(portal="nowhere"), timeout=5)
        with pytest.raises(NoSuchConfiguration):
            await post.session_controller.ask(StartSession(config_id=uuid4()), timeout=5)
        assert await post.sessions() == []


async def test_what_is_asked_twice_is_done_once(database: str) -> None:
    """Stop, resume and reset of one session by its id, each in every state."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(), timeout=5)
        for _ in range(2):
            stopped = await post.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            assert (stopped.id, stopped.status) == (view.id, "stopped")
        assert post.gate.closed_reason
        await post.record.sql("update bot_sessions set total_checks = 40, total_accepted = 7")
        for _ in range(2):
            back = await post.session_controller.ask(ResumeSession(session_id=view.id), timeout=15)
            assert (back.id, back.total_accepted) == (view.id, 7)
        assert len(await post.local()) == 1
        assert post.gate.closed_reason is None
        for _ in range(2):
            reset = await post.session_controller.ask(ResetSession(session_id=view.id), timeout=15)
            assert (reset.status, reset.login_status) == ("stopped", "not_started")
        assert post.forgotten == [view.id, view.id]
        assert await post.session_controller.ask(ResetSessions(), timeout=15) == ()
        for unknown in (StopSession(session_id=uuid4()), ResumeSession(session_id=uuid4())):
            with pytest.raises(NoSuchSession):
                await post.session_controller.ask(unknown, timeout=5)
        (row,) = await post.sessions()
        assert (row.total_accepted, row.end_time is None) == (7, False)


async def test_each_state_is_told_as_it_comes(database: str) -> None:
    """Starting, running, stopping, stopped: no step is left out."""
    async with on_post(database) as post:
        with post.bus.subscribe(SessionChanged) as changes:
            view = await post.session_controller.ask(StartSession(), timeout=5)
            # The answer may come before or after the session runs; what is told has an order.
            told: list[str] = []
            while "running" not in told:
                told.append((await next_event(changes, SessionChanged)).session.status)
            await post.session_controller.ask(StopSession(session_id=view.id), timeout=15)
            while told[-1] != "stopped":
                told.append((await next_event(changes, SessionChanged)).session.status)
        # What it says for itself may cross the word that it stops.
        assert list(dict.fromkeys(told)) == ["starting", "running", "stopping", "stopped"]


async def test_an_order_goes_to_the_session_that_is_named_or_to_the_first(database: str) -> None:
    """One that does not run, or does not exist, is told so."""
    async with on_post(database) as post:
        with pytest.raises(SessionNotRunningHere):
            await post.session_controller.ask(DispatchCommand(command=CheckJobs()), timeout=5)
        first = await post.session_controller.ask(StartSession(), timeout=5)
        second = await post.session_controller.ask(StartSession(), timeout=5)
        for session in (None, first.id, second.id):
            done = await post.session_controller.ask(
                DispatchCommand(command=CheckJobs(), session_id=session), timeout=10
            )
            assert done["total_jobs"] == 0
        await post.session_controller.ask(StopSession(session_id=second.id), timeout=15)
        for session in (second.id, uuid4()):
            with pytest.raises(CommandRefused):
                await post.session_controller.ask(
                    DispatchCommand(command=CheckJobs(), session_id=session), timeout=5
                )


async def test_a_crashed_session_says_what_for_and_comes_back(database: str) -> None:
    """It is starting again meanwhile, with the error in words."""
    async with on_post(database) as post:
        view = await post.session_controller.ask(StartSession(), timeout=5)
        await post.running()
        with post.bus.subscribe(SessionChanged) as changes:
            crash((await post.spec(view.id)).address, ValueError("a bug"))
            changed = (await next_event(changes, SessionChanged)).session
            while changed.status != "starting":
                changed = (await next_event(changes, SessionChanged)).session
            assert "a bug" in (changed.message or "")
            while changed.status != "running":
                changed = (await next_event(changes, SessionChanged)).session
            assert changed.message is None


async def test_a_session_that_crashes_too_often_has_failed_and_is_tried_again(database: str) -> None:
    """Its supervisor gives it up; it is wanted still, says what is wrong, and runs once that is gone."""
    async with on_post(database) as post:
        post.board.spoil["jobs"] = [ValueError("a bug")] * 1000
        with post.bus.subscribe(SessionChanged, SessionEventRecorded, capacity=4096) as changes:
            view = await post.session_controller.ask(StartSession(), timeout=5)
            while view.status != "failed":
                view = (await next_event(changes, SessionChanged)).session
            assert "it failed too often, last by a bug" in (view.message or "")
            post.board.spoil.clear()
            while view.status != "running" or view.login_status != "success":
                view = (await next_event(changes, SessionChanged)).session
            (row,) = await post.sessions()
            assert (row.id, row.desired) == (view.id, "running")


async def test_why_no_comparison_can_be_made_is_told_once(autojump_clock) -> None:
    """Again where the reason changes, or comes back after it was gone; not every few seconds."""
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
    told = [entry["reason"] for entry in logs if entry["event"] == "reconcile_failed"]
    assert told == ["silent", "full", "full"]
