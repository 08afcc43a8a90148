"""Two instances on one PostgreSQL: each session has one owner at a time, whatever happens to the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import trio

from actors.database.rows import SessionRow
from actors.database.sessions.messages import ReleaseSessions, SessionsQuery
from actors.queue.worker.handler import Gate
from actors.sessions.controller.active_sessions import child_name
from actors.sessions.controller.lease_releaser import LeaseReleaser
from actors.sessions.controller.session_controller import SessionController
from actors.sessions.controller.sessions_config import SessionsConfig
from actors.sessions.messages import (
    ControllerMessage,
    ResumeSession,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSession,
)
from actors.sessions.session.session import Session
from runtime import Address, Backoff, Bus, ChildSpec, SupervisorMessage, SupervisorSpec, open_system
from runtime.testing import run_actor

from ..database.harness import DatabaseHarness, open_harness
from .board import Board, assignment, database_actors

TERMS = SessionsConfig(
    portal="board",
    engine="http",
    autostart=False,
    session_name="",
    max_sessions=2,
    owner="first",
    lease_seconds=1.5,
    shared=True,
    leave=0.5,
)


@dataclass
class Instance:
    """A session_controller with its fleet, and its own way to the record."""

    session_controller: Address[ControllerMessage]
    record: DatabaseHarness
    board: Board
    config: SessionsConfig

    async def local(self) -> set[UUID]:
        return {
            view.id for view in (await self.session_controller.ask(SessionsViewQuery(), timeout=5)).sessions
        }

    async def start(self) -> SessionView:
        return await self.session_controller.ask(StartSession(), timeout=10)

    async def outlive_leases(self) -> None:
        """Look on until every lease that is on record now would have run out."""
        rows = await self.record.sql("select max(lease_until) as last from bot_sessions")
        while datetime.now(UTC) <= rows[0]["last"]:
            await self.board.look()

    async def until_on_duty(self, *sessions: UUID) -> None:
        while await self.local() != set(sessions):  # noqa: ASYNC110 - the end of a session is no event
            await trio.sleep(0.05)


@asynccontextmanager
async def instance(database: str, board: Board, config: SessionsConfig) -> AsyncGenerator[Instance, None]:
    bus = Bus()
    session_controller: Address[ControllerMessage] = Address("session_controller")
    fleet: Address[SupervisorMessage] = Address("fleet")
    backoff = Backoff(minimum=0.01, maximum=0.05)

    async def delete_saved_login(session: UUID) -> None:
        raise AssertionError(f"nobody resets {session}")

    async with open_harness(database, bus=bus) as record:

        async def make_spec(row: SessionRow) -> ChildSpec:
            return ChildSpec(
                address=Address(child_name(row.id)),
                start=lambda: Session(assignment(row, board, record, bus, owner=config.owner)),
                backoff=backoff,
            )

        def keep() -> SessionController:
            return SessionController(
                config,
                make_spec=make_spec,
                delete_saved_login=delete_saved_login,
                fleet=fleet,
                database=database_actors(record),
                queue=None,
                gate=Gate(),
                bus=bus,
            )

        spec = SupervisorSpec(
            address=Address("sessions"),
            children=(
                SupervisorSpec(address=fleet, dynamic=True),
                ChildSpec(address=session_controller, start=keep, backoff=backoff),
            ),
        )
        async with open_system(spec, bus=bus):
            yield Instance(session_controller, record, board, config)


SECOND = replace(TERMS, owner="second")


async def test_what_one_instance_runs_the_other_leaves_alone(database: str) -> None:
    """For as long as the lease is renewed; its own sessions it runs beside."""
    with trio.fail_after(60):
        async with instance(database, Board(), TERMS) as first, instance(database, Board(), SECOND) as second:
            theirs, ours = await first.start(), await second.start()
            await first.outlive_leases()
            assert (await first.local(), await second.local()) == ({theirs.id}, {ours.id})
            rows = await first.record.read(SessionsQuery())
            assert {row.id: row.owner for row in rows} == {theirs.id: "first", ours.id: "second"}


async def test_a_session_moves_when_its_instance_is_gone(database: str) -> None:
    """As soon as the lease is out, with its id and counters; no more of them than there is room for."""
    with trio.fail_after(60):
        board = Board()
        async with instance(database, board, replace(TERMS, max_sessions=3)) as first:
            views = [await first.start() for _ in range(3)]
            await first.record.sql("update bot_sessions set total_accepted = 7")
        async with instance(database, board, SECOND) as second:
            assert await second.local() == set()
            await second.until_on_duty(views[0].id, views[1].id)
            back = await second.session_controller.ask(ResumeSession(session_id=views[0].id), timeout=5)
            assert back.total_accepted == 7


async def test_an_instance_that_comes_back_takes_its_own_at_once(database: str) -> None:
    """Its name is the same, so it need not wait for the lease."""
    with trio.fail_after(60):
        patient = replace(TERMS, lease_seconds=600.0)
        async with instance(database, Board(), patient) as first:
            view = await first.start()
        async with instance(database, Board(), patient) as first:
            await first.until_on_duty(view.id)


async def test_an_orderly_stop_gives_the_sessions_back(database: str) -> None:
    """Nobody waits for a lease then."""
    patient = replace(TERMS, lease_seconds=600.0)
    with trio.fail_after(60):
        async with instance(database, Board(), patient) as first:
            view = await first.start()
        async with open_harness(database) as record:
            async with run_actor(lambda: LeaseReleaser("first", record.writer), Address("leases")):
                pass
            (row,) = await record.read(SessionsQuery())
            assert (row.owner, row.desired) == (None, "running")
        async with instance(database, Board(), replace(SECOND, lease_seconds=600.0)) as second:
            await second.until_on_duty(view.id)


async def test_a_lease_that_cannot_be_renewed_ends_the_session_in_time(database: str) -> None:
    """By the instance's own clock, while the record is away; afterwards it is taken up again."""
    with trio.fail_after(60):
        async with instance(database, Board(), TERMS) as first:
            view = await first.start()
            with psycopg.connect(database) as connection:
                connection.execute("lock table bot_sessions in exclusive mode")
                asked = trio.current_time()
                await first.until_on_duty()
                assert trio.current_time() - asked < TERMS.lease_seconds
                (lease,) = connection.execute("select lease_until > clock_timestamp() from bot_sessions")
                assert lease == (True,)
            await first.until_on_duty(view.id)


async def test_where_nobody_else_can_be_an_outage_ends_nothing(database: str) -> None:
    """The record is this instance's own: the session goes on looking."""
    with trio.fail_after(60):
        board = Board()
        async with instance(database, board, replace(TERMS, shared=False)) as first:
            view = await first.start()
            await first.record.sql("update bot_configurations set check_interval_seconds = 0.05")
            await board.look(1)
            with psycopg.connect(database) as connection:
                connection.execute("lock table bot_sessions in exclusive mode")
                await first.outlive_leases()
                assert await first.local() == {view.id}


async def test_who_lost_a_session_to_another_lets_it_go(database: str) -> None:
    """By the record's word; and what it still says of the session's state is not believed."""
    with trio.fail_after(60):
        board = Board()
        async with instance(database, board, TERMS) as first:
            view = await first.start()
            await first.record.sql(
                "update bot_sessions set owner = 'third', lease_until = now() + interval '1 hour',"
                " status = 'running', login_status = 'theirs'"
            )
            await first.until_on_duty()
            await first.record.flush()
            (row,) = await first.record.read(SessionsQuery())
            assert (row.id, row.owner, row.login_status) == (view.id, "third", "theirs")


async def test_a_session_is_stopped_from_anywhere(database: str) -> None:
    """Its owner ends it, within the time between two comparisons."""
    with trio.fail_after(60):
        async with instance(database, Board(), TERMS) as first, instance(database, Board(), SECOND) as second:
            view = await first.start()
            told = await second.session_controller.ask(StopSession(session_id=view.id), timeout=10)
            assert told.id == view.id
            await first.until_on_duty()
            while (await first.record.read(SessionsQuery()))[0].status != "stopped":  # noqa: ASYNC110 - as above
                await trio.sleep(0.05)
            (row,) = await first.record.read(SessionsQuery())
            assert (row.owner, row.end_time is not None) == (None, True)
            assert await second.local() == set()
            await second.record.write(ReleaseSessions(owner="second"))
