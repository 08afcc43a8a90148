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
from actors.sessions.controller.active_sessions import SessionsConfig, child_name
from actors.sessions.controller.leases import LeaseReleaser
from actors.sessions.controller.session_controller import SessionController
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
from .fake_portal import FakePortal, database_actors, session_context

CONFIG = SessionsConfig(
    portal="fake",
    engine="http",
    autostart=False,
    session_name="",
    max_sessions=2,
    owner="first",
    lease_seconds=1.5,
    shared=True,
    stop_timeout=0.5,
)


@dataclass
class Instance:
    """A session controller with its fleet and its own connection to the database."""

    session_controller: Address[ControllerMessage]
    db: DatabaseHarness
    portal: FakePortal
    config: SessionsConfig

    async def local(self) -> set[UUID]:
        return {
            view.id for view in (await self.session_controller.ask(SessionsViewQuery(), timeout=5)).sessions
        }

    async def start(self) -> SessionView:
        return await self.session_controller.ask(StartSession(), timeout=10)

    async def outlive_leases(self) -> None:
        """Let the sessions keep checking until every current lease would have expired."""
        rows = await self.db.sql("select max(lease_until) as last from bot_sessions")
        while datetime.now(UTC) <= rows[0]["last"]:
            await self.portal.wait_for_checks()

    async def until_running(self, *sessions: UUID) -> None:
        while await self.local() != set(sessions):  # noqa: ASYNC110 - the end of a session is no event
            await trio.sleep(0.05)


@asynccontextmanager
async def instance(
    database: str, portal: FakePortal, config: SessionsConfig
) -> AsyncGenerator[Instance, None]:
    bus = Bus()
    session_controller: Address[ControllerMessage] = Address("session_controller")
    fleet: Address[SupervisorMessage] = Address("fleet")
    backoff = Backoff(minimum=0.01, maximum=0.05)

    async def delete_saved_login(session: UUID) -> None:
        raise AssertionError(f"unexpected reset of {session}")

    async with open_harness(database, bus=bus) as db:

        async def make_spec(row: SessionRow) -> ChildSpec:
            return ChildSpec(
                address=Address(child_name(row.id)),
                start=lambda: Session(session_context(row, portal, db, bus, owner=config.owner)),
                backoff=backoff,
            )

        def controller() -> SessionController:
            return SessionController(
                config,
                make_spec=make_spec,
                delete_saved_login=delete_saved_login,
                fleet=fleet,
                database=database_actors(db),
                queue=None,
                gate=Gate(),
                bus=bus,
            )

        spec = SupervisorSpec(
            address=Address("sessions"),
            children=(
                SupervisorSpec(address=fleet, dynamic=True),
                ChildSpec(address=session_controller, start=controller, backoff=backoff),
            ),
        )
        async with open_system(spec, bus=bus):
            yield Instance(session_controller, db, portal, config)


SECOND = replace(CONFIG, owner="second")


async def test_an_instance_does_not_start_sessions_leased_by_another(database: str) -> None:
    """While the lease is renewed; each instance runs its own sessions."""
    with trio.fail_after(60):
        async with (
            instance(database, FakePortal(), CONFIG) as first,
            instance(database, FakePortal(), SECOND) as second,
        ):
            theirs, ours = await first.start(), await second.start()
            await first.outlive_leases()
            assert (await first.local(), await second.local()) == ({theirs.id}, {ours.id})
            rows = await first.db.read(SessionsQuery())
            assert {row.id: row.owner for row in rows} == {theirs.id: "first", ours.id: "second"}


async def test_a_session_moves_when_its_instance_is_gone(database: str) -> None:
    """As soon as the lease expires, with its id and counters, up to ``max_sessions``."""
    with trio.fail_after(60):
        portal = FakePortal()
        async with instance(database, portal, replace(CONFIG, max_sessions=3)) as first:
            views = [await first.start() for _ in range(3)]
            await first.db.sql("update bot_sessions set total_accepted = 7")
        async with instance(database, portal, SECOND) as second:
            assert await second.local() == set()
            await second.until_running(views[0].id, views[1].id)
            back = await second.session_controller.ask(ResumeSession(session_id=views[0].id), timeout=5)
            assert back.total_accepted == 7


async def test_a_restarted_instance_resumes_its_own_sessions_at_once(database: str) -> None:
    """Its owner id is the same, so it does not wait for the lease."""
    with trio.fail_after(60):
        long_lease = replace(CONFIG, lease_seconds=600.0)
        async with instance(database, FakePortal(), long_lease) as first:
            view = await first.start()
        async with instance(database, FakePortal(), long_lease) as first:
            await first.until_running(view.id)


async def test_an_orderly_stop_releases_the_leases(database: str) -> None:
    """Another instance then starts the sessions without waiting."""
    long_lease = replace(CONFIG, lease_seconds=600.0)
    with trio.fail_after(60):
        async with instance(database, FakePortal(), long_lease) as first:
            view = await first.start()
        async with open_harness(database) as db:
            async with run_actor(lambda: LeaseReleaser("first", db.writer), Address("leases")):
                pass
            (row,) = await db.read(SessionsQuery())
            assert (row.owner, row.desired) == (None, "running")
        async with instance(database, FakePortal(), replace(SECOND, lease_seconds=600.0)) as second:
            await second.until_running(view.id)


async def test_a_lease_that_cannot_be_renewed_ends_the_session_in_time(database: str) -> None:
    """By the instance's own clock, while the database is unavailable; it starts again afterwards."""
    with trio.fail_after(60):
        async with instance(database, FakePortal(), CONFIG) as first:
            view = await first.start()
            with psycopg.connect(database) as connection:
                connection.execute("lock table bot_sessions in exclusive mode")
                asked = trio.current_time()
                await first.until_running()
                assert trio.current_time() - asked < CONFIG.lease_seconds
                (lease,) = connection.execute("select lease_until > clock_timestamp() from bot_sessions")
                assert lease == (True,)
            await first.until_running(view.id)


async def test_an_outage_of_an_unshared_database_stops_nothing(database: str) -> None:
    """Only this instance uses the database: the session keeps checking."""
    with trio.fail_after(60):
        portal = FakePortal()
        async with instance(database, portal, replace(CONFIG, shared=False)) as first:
            view = await first.start()
            await first.db.sql("update bot_configurations set check_interval_seconds = 0.05")
            await portal.wait_for_checks(1)
            with psycopg.connect(database) as connection:
                connection.execute("lock table bot_sessions in exclusive mode")
                await first.outlive_leases()
                assert await first.local() == {view.id}


async def test_an_instance_stops_a_session_whose_lease_another_took(database: str) -> None:
    """As the database says; state that the old owner still reports is not recorded."""
    with trio.fail_after(60):
        portal = FakePortal()
        async with instance(database, portal, CONFIG) as first:
            view = await first.start()
            await first.db.sql(
                "update bot_sessions set owner = 'third', lease_until = now() + interval '1 hour',"
                " status = 'running', login_status = 'theirs'"
            )
            await first.until_running()
            await first.db.flush()
            (row,) = await first.db.read(SessionsQuery())
            assert (row.id, row.owner, row.login_status) == (view.id, "third", "theirs")


async def test_any_instance_can_stop_a_session(database: str) -> None:
    """Its owner stops it at its next reconciliation."""
    with trio.fail_after(60):
        async with (
            instance(database, FakePortal(), CONFIG) as first,
            instance(database, FakePortal(), SECOND) as second,
        ):
            view = await first.start()
            stopped = await second.session_controller.ask(StopSession(session_id=view.id), timeout=10)
            assert stopped.id == view.id
            await first.until_running()
            while (await first.db.read(SessionsQuery()))[0].status != "stopped":  # noqa: ASYNC110 - as above
                await trio.sleep(0.05)
            (row,) = await first.db.read(SessionsQuery())
            assert (row.owner, row.end_time is not None) == (None, True)
            assert await second.local() == set()
            await second.db.write(ReleaseSessions(owner="second"))
