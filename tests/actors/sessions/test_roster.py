from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from actors.records.messages import SessionsQuery, Write
from actors.records.rows import SessionRow
from actors.sessions.events import FactRecorded, SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    NoActiveSession,
    RosterMessage,
    RosterQuery,
    SessionView,
    StartSession,
    StopSession,
)
from actors.sessions.roster import Roster, child_name
from actors.sessions.session import Session
from runtime import (
    Address,
    AskFailed,
    Backoff,
    Bus,
    ChildSpec,
    SupervisorMessage,
    SupervisorSpec,
    TerminateChild,
    open_system,
)
from runtime.testing import next_event

from ..records.records import Record, open_record
from .board import Board


@dataclass
class Post:
    """A roster on duty, with a real record and sessions on a board."""

    roster: Address[RosterMessage]
    fleet: Address[SupervisorMessage]
    bus: Bus
    record: Record

    async def sessions(self) -> list[SessionRow]:
        return await self.record.read(SessionsQuery())

    async def on_duty(self) -> tuple[SessionView, ...]:
        return (await self.roster.ask(RosterQuery(), timeout=5)).sessions


@asynccontextmanager
async def on_post(
    database: str, *, autostart: bool = False, writer: Address[Write] | None = None
) -> AsyncGenerator[Post, None]:
    bus, board = Bus(), Board()
    roster: Address[RosterMessage] = Address("roster")
    fleet: Address[SupervisorMessage] = Address("fleet")
    backoff = Backoff(minimum=0.01, maximum=0.01)
    async with open_record(database) as record:

        def employ(row: SessionRow) -> ChildSpec:
            return ChildSpec(
                address=Address(child_name(row.id)),
                start=lambda: Session(row, "http", board.open, record.writer, record.reader, record.journal),
                backoff=backoff,
            )

        spec = SupervisorSpec(
            address=Address("sessions"),
            children=(
                SupervisorSpec(address=fleet, dynamic=True),
                ChildSpec(
                    address=roster,
                    start=lambda: Roster(
                        portal="board",
                        engine="http",
                        autostart=autostart,
                        session_name="",
                        employ=employ,
                        fleet=fleet,
                        writer=record.writer if writer is None else writer,
                        reader=record.reader,
                        journal=record.journal,
                        bus=bus,
                    ),
                    backoff=backoff,
                ),
            ),
        )
        with trio.fail_after(30), bus.subscribe(SessionChanged) as changes:
            async with open_system(spec, bus=bus):
                post = Post(roster, fleet, bus, record)
                if autostart:
                    await next_event(changes, SessionChanged)
                yield post


async def test_a_session_is_started_once_and_stopped_once(database: str) -> None:
    """What the operator sees, and what is on record."""
    async with on_post(database) as post:
        view = await post.roster.ask(StartSession(session_name="mine"), timeout=5)
        with pytest.raises(AlreadyRunning, match="Bot is already running"):
            await post.roster.ask(StartSession(), timeout=5)
        with post.bus.subscribe(FactRecorded) as facts:
            stopped = await post.roster.ask(StopSession(), timeout=10)
            assert [event.type for event in facts.drain() if isinstance(event, FactRecorded)][
                -1
            ] == "bot_stopped"
        assert (stopped.id, stopped.session_name, stopped.status) == (view.id, "mine", "stopped")
        with pytest.raises(NoActiveSession, match="No active bot session found"):
            await post.roster.ask(StopSession(), timeout=5)
        (row,) = await post.sessions()
        assert (row.status, row.desired, row.end_time is not None) == ("stopped", "stopped", True)
        assert await post.on_duty() == ()


async def test_a_session_that_should_run_is_brought_back(database: str) -> None:
    """By the next roster, with its id and its counters."""
    async with on_post(database) as post:
        view = await post.roster.ask(StartSession(), timeout=5)
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
        assert len(await post.on_duty()) == 1
        await post.roster.ask(StopSession(), timeout=10)
    async with on_post(database) as post:
        assert await post.on_duty() == ()
        assert len(await post.sessions()) == 1


async def test_a_session_that_the_fleet_lost_is_started_again(database: str) -> None:
    """The record says who should run, and the roster makes it so."""
    async with on_post(database) as post:
        view = await post.roster.ask(StartSession(), timeout=5)
        await post.fleet.ask(TerminateChild(id=child_name(view.id)), timeout=10)
        with post.bus.subscribe(SessionChanged) as changes:
            assert (await next_event(changes, SessionChanged)).session_id == view.id


async def test_who_is_on_duty_is_known_while_the_record_takes_no_writes(database: str) -> None:
    """A stop that cannot be committed fails and stops nothing; the roster answers meanwhile."""
    async with on_post(database) as post:
        view = await post.roster.ask(StartSession(), timeout=5)
    nobody: Address[Write] = Address("nobody")
    async with on_post(database, writer=nobody) as post, trio.open_nursery() as nursery:
        with post.bus.subscribe(SessionChanged) as changes:
            await next_event(changes, SessionChanged)
        refused = trio.Event()

        async def stop() -> None:
            with pytest.raises(AskFailed):
                await post.roster.ask(StopSession(), timeout=1)
            refused.set()

        nursery.start_soon(stop)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert [each.id for each in await post.on_duty()] == [view.id]
        await refused.wait()
        assert [each.id for each in await post.on_duty()] == [view.id]
