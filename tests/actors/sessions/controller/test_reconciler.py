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
from actors.sessions.controller.active_sessions import ActiveSessions, child_name
from actors.sessions.controller.lease_keeper import LeaseKeeper
from actors.sessions.controller.reconciler import Reconciler
from actors.sessions.controller.sessions_config import SessionsConfig
from actors.sessions.messages import NoSuchPortal
from actors.sessions.session.session import Session
from runtime import Actor, Address, Bus, ChildSpec, SupervisorMessage, SupervisorSpec, open_system

from ...database.harness import NOW, DatabaseHarness, open_harness
from ..board import Board, assignment, database_actors

TERMS = SessionsConfig(
    portal="board",
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
    """A comparison with a real record and a real fleet, and what its portals lack."""

    record: DatabaseHarness
    bus: Bus
    lacks: dict[str, str]
    """Why a portal cannot be worked, by its name."""
    breaks: dict[str, str] = field(default_factory=dict[str, str])
    """Why no session at a portal starts, by its name."""
    looks: list[str] = field(default_factory=list[str])
    """Portals that were looked for."""
    board: Board = field(default_factory=Board)

    async def make_spec(self, row: SessionRow) -> ChildSpec:
        self.looks.append(row.portal)
        if row.portal in self.lacks:
            raise NoSuchPortal(self.lacks[row.portal])
        if row.portal in self.breaks:
            return ChildSpec(
                address=Address(child_name(row.id)), start=lambda: Broken(self.breaks[row.portal])
            )
        return ChildSpec(
            address=Address(child_name(row.id)),
            start=lambda: Session(assignment(row, self.board, self.record, self.bus)),
        )

    async def want(self, name: str, portal: str) -> UUID:
        wanted = CreateSession(id=uuid4(), session_name=name, portal=portal, start_time=NOW)
        return (await self.record.write(wanted)).id


@asynccontextmanager
async def compared(
    database: str, **lacks: str
) -> AsyncGenerator[tuple[Fleet, Reconciler, ActiveSessions], None]:
    bus, address = Bus(), Address[SupervisorMessage]("fleet")
    async with (
        open_harness(database, bus=bus) as record,
        open_system(SupervisorSpec(address=address, dynamic=True), bus=bus),
    ):
        fleet = Fleet(record=record, bus=bus, lacks=lacks)
        active = ActiveSessions(
            engine="http", make_spec=fleet.make_spec, fleet=address, gate=Gate(), publish=bus.publish
        )
        lease_keeper = LeaseKeeper(TERMS, active, database_actors(record), bus.publish)
        with trio.fail_after(30):
            yield fleet, Reconciler(fleet.make_spec, active, lease_keeper, database_actors(record)), active


def told(logs: list[structlog.typing.EventDict], event: str = "session_left_alone") -> list[tuple[str, str]]:
    """Whom that was told of, and why."""
    found = [(entry["session"], entry["reason"]) for entry in logs if entry["event"] == event]
    logs.clear()
    return found


async def test_a_session_that_is_left_alone_is_told_once(database: str) -> None:
    """Again where the reason changes, or comes back after it was gone; not at each comparison."""
    async with compared(database, gone="it is not there") as (fleet, reconciler, active):
        session = await fleet.want("one", "gone")
        with structlog.testing.capture_logs() as logs:
            await reconciler.make()
            assert told(logs) == [("one", "it is not there")]
            await reconciler.make()
            assert told(logs) == []

            fleet.lacks["gone"] = "its key is wrong"
            await reconciler.make()
            await reconciler.make()
            assert told(logs) == [("one", "its key is wrong")]
            assert active.views == ()

            del fleet.lacks["gone"]
            await reconciler.make()
            assert told(logs) == []
            assert [view.id for view in active.views] == [session]

            fleet.lacks["gone"] = "its key is wrong"
            await reconciler.make()
            assert told(logs) == [("one", "its key is wrong")]


async def test_a_session_that_does_not_start_is_told_once(database: str) -> None:
    """Again where the reason changes, or comes back after it was gone; each session for itself."""

    async with compared(database) as (fleet, reconciler, active):
        session = await fleet.want("one", "frail")
        with structlog.testing.capture_logs() as logs:

            async def reasons() -> list[tuple[str, str]]:
                await reconciler.make()
                return [(name, why.rpartition(" ")[2]) for name, why in told(logs, "session_not_started")]

            fleet.breaks["frail"] = "broken"
            assert [await reasons() for _ in range(3)] == [[("one", "broken")], [], []]
            await fleet.want("two", "frail")
            assert await reasons() == [("two", "broken")]
            fleet.breaks["frail"] = "dark"
            assert sorted(await reasons()) == [("one", "dark"), ("two", "dark")]
            assert await reasons() == []

            del fleet.breaks["frail"]
            assert await reasons() == []
            assert session in [view.id for view in active.views]


async def test_a_session_that_is_not_wanted_for_a_while_is_told_of_anew(database: str) -> None:
    """Its reason is news then."""
    async with compared(database) as (fleet, reconciler, _):
        await fleet.want("one", "frail")
        fleet.breaks["frail"] = "broken"
        for desired, news in (("running", 1), ("stopped", 0), ("running", 1)):
            await fleet.record.sql(f"update bot_sessions set desired = '{desired}', end_time = null")
            with structlog.testing.capture_logs() as logs:
                await reconciler.make()
                await reconciler.make()
            assert len(told(logs, "session_not_started")) == news


async def test_a_portal_is_looked_for_once_in_a_comparison(database: str) -> None:
    """However many sessions are to work at it; and each of them is told of."""
    async with compared(database, gone="it is not there") as (fleet, reconciler, _):
        for name in ("one", "two", "three"):
            await fleet.want(name, "gone")
        with structlog.testing.capture_logs() as logs:
            await reconciler.make()
            assert sorted(name for name, _ in told(logs)) == ["one", "three", "two"]
        assert fleet.looks == ["gone"]
