from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog
import trio

from actors.database.rows import SessionRow
from actors.database.sessions.messages import CreateSession
from actors.queue.worker.handler import Gate
from actors.sessions.controller.active_sessions import ActiveSessions, SessionsConfig, child_name
from actors.sessions.controller.leases import LeaseKeeper
from actors.sessions.controller.reconciler import Reconciler
from actors.sessions.messages import NoSuchPortal
from actors.sessions.session.session import Session
from runtime import Actor, Address, Bus, ChildSpec, SupervisorMessage, SupervisorSpec, open_system

from ...database.harness import NOW, DatabaseHarness, open_harness
from ..fake_portal import FakePortal, database_actors, session_context

CONFIG = SessionsConfig(
    portal="fake",
    engine="http",
    autostart=False,
    session_name="",
    max_sessions=3,
    owner="here",
    lease_seconds=60.0,
    shared=False,
)


class Broken(Actor[object]):
    """Does not start."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def started(self) -> None:
        raise ValueError(self.reason)


@dataclass(kw_only=True)
class Fleet:
    """A reconciler with a real database and a real fleet, and faults of its portals."""

    db: DatabaseHarness
    bus: Bus
    unusable: dict[str, str]
    """Why a portal cannot be used, by its name."""
    breaks: dict[str, str] = field(default_factory=dict[str, str])
    """Why the sessions of a portal fail to start, by its name."""
    checks: list[str] = field(default_factory=list[str])
    """Portals for which a spec was made."""
    portal: FakePortal = field(default_factory=FakePortal)

    async def make_spec(self, row: SessionRow) -> ChildSpec:
        self.checks.append(row.portal)
        if row.portal in self.unusable:
            raise NoSuchPortal(self.unusable[row.portal])
        if row.portal in self.breaks:
            return ChildSpec(
                address=Address(child_name(row.id)), start=lambda: Broken(self.breaks[row.portal])
            )
        return ChildSpec(
            address=Address(child_name(row.id)),
            start=lambda: Session(session_context(row, self.portal, self.db, self.bus)),
        )

    async def create(self, name: str, portal: str) -> UUID:
        command = CreateSession(id=uuid4(), session_name=name, portal=portal, start_time=NOW)
        return (await self.db.write(command)).id


@asynccontextmanager
async def open_reconciler(
    database: str, **unusable: str
) -> AsyncGenerator[tuple[Fleet, Reconciler, ActiveSessions], None]:
    bus, address = Bus(), Address[SupervisorMessage]("fleet")
    async with (
        open_harness(database, bus=bus) as db,
        open_system(SupervisorSpec(address=address, dynamic=True), bus=bus),
    ):
        fleet = Fleet(db=db, bus=bus, unusable=unusable)
        active = ActiveSessions(
            engine="http", make_spec=fleet.make_spec, fleet=address, gate=Gate(), publish=bus.publish
        )
        lease_keeper = LeaseKeeper(CONFIG, active, database_actors(db), bus.publish)
        with trio.fail_after(30):
            yield fleet, Reconciler(fleet.make_spec, active, lease_keeper, database_actors(db)), active


def logged(logs: list[structlog.typing.EventDict], event: str = "session_skipped") -> list[tuple[str, str]]:
    """Return session and reason of the logged events, and clear the log."""
    found = [(entry["session"], entry["reason"]) for entry in logs if entry["event"] == event]
    logs.clear()
    return found


async def test_a_skipped_session_is_logged_once(database: str) -> None:
    """Again if the reason changes or returns after it was gone; not at each reconciliation."""
    async with open_reconciler(database, gone="it is not there") as (fleet, reconciler, active):
        session = await fleet.create("one", "gone")
        with structlog.testing.capture_logs() as logs:
            await reconciler.reconcile()
            assert logged(logs) == [("one", "it is not there")]
            await reconciler.reconcile()
            assert logged(logs) == []

            fleet.unusable["gone"] = "its key is wrong"
            await reconciler.reconcile()
            await reconciler.reconcile()
            assert logged(logs) == [("one", "its key is wrong")]
            assert active.views == ()

            del fleet.unusable["gone"]
            await reconciler.reconcile()
            assert logged(logs) == []
            assert [view.id for view in active.views] == [session]

            fleet.unusable["gone"] = "its key is wrong"
            await reconciler.reconcile()
            assert logged(logs) == [("one", "its key is wrong")]


async def test_a_session_that_does_not_start_is_logged_once(database: str) -> None:
    """Again if the reason changes or returns after it was gone; each session separately."""

    async with open_reconciler(database) as (fleet, reconciler, active):
        session = await fleet.create("one", "frail")
        with structlog.testing.capture_logs() as logs:

            async def reasons() -> list[tuple[str, str]]:
                await reconciler.reconcile()
                return [(name, why.rpartition(" ")[2]) for name, why in logged(logs, "session_not_started")]

            fleet.breaks["frail"] = "broken"
            assert [await reasons() for _ in range(3)] == [[("one", "broken")], [], []]
            await fleet.create("two", "frail")
            assert await reasons() == [("two", "broken")]
            fleet.breaks["frail"] = "dark"
            assert sorted(await reasons()) == [("one", "dark"), ("two", "dark")]
            assert await reasons() == []

            del fleet.breaks["frail"]
            assert await reasons() == []
            assert session in [view.id for view in active.views]


async def test_a_session_that_was_stopped_meanwhile_is_logged_again(database: str) -> None:
    """The stop clears the logged reason."""
    async with open_reconciler(database) as (fleet, reconciler, _):
        await fleet.create("one", "frail")
        fleet.breaks["frail"] = "broken"
        for desired, logged_count in (("running", 1), ("stopped", 0), ("running", 1)):
            await fleet.db.sql(f"update bot_sessions set desired = '{desired}', end_time = null")
            with structlog.testing.capture_logs() as logs:
                await reconciler.reconcile()
                await reconciler.reconcile()
            assert len(logged(logs, "session_not_started")) == logged_count


async def test_a_portal_is_checked_once_in_a_reconciliation(database: str) -> None:
    """However many sessions use it; each of them is logged."""
    async with open_reconciler(database, gone="it is not there") as (fleet, reconciler, _):
        for name in ("one", "two", "three"):
            await fleet.create(name, "gone")
        with structlog.testing.capture_logs() as logs:
            await reconciler.reconcile()
            assert sorted(name for name, _ in logged(logs)) == ["one", "three", "two"]
        assert fleet.checks == ["gone"]
