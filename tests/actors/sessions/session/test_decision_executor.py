"""Claim, click, outcome: what a stop that comes in between does to them, on the mock clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never
from uuid import uuid4

import pytest
import trio
import trio.testing

from actors.database.jobs.messages import Claim, RecordIntent
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.database.rows import Decision, Desired, JobStatus, OutcomeSource, SessionRow
from actors.portals.portal import Job, JobOutcome
from actors.sessions.database_actors import DatabaseActors
from actors.sessions.session.claim_cache import ClaimCache
from actors.sessions.session.decision_executor import CLICK_SECONDS, DecisionExecutor
from actors.sessions.session.intents import Intents
from actors.sessions.session.rules import Verdict
from actors.sessions.session.session_log import SessionLog
from actors.sessions.session.session_publisher import SessionPublisher
from actors.sessions.session.session_state import SessionState
from runtime import Actor, Address
from runtime.testing import TestProbe, run_actor

from ...database.harness import NOW
from ..board import Board, View
from .test_session import job

GRACE = 4.0
COINCIDENCES = 20
"""Trio runs the tasks that are due in one tick in any order, so one try shows little."""
JOB = job("A")
ACCEPT = Verdict(decision=Decision.ACCEPT, reason="fits")


class Idle(Actor[Never]):
    """Does nothing; a teller speaks in its name."""


class Journal(Actor[JournalMessage]):
    """Keeps every fact at once."""

    async def handle(self, message: JournalMessage) -> None: ...


@dataclass
class Stage:
    """What decides and clicks, and the record's writer, which the test speaks for."""

    executor: DecisionExecutor
    board: Board
    writer: TestProbe[Write]

    async def see_through(self) -> None:
        await self.executor.see_through(JOB, ACCEPT)

    async def answer_claim(self) -> None:
        claim = await self.writer.receive()
        assert isinstance(claim.message, RecordIntent)
        claim.reply(Claim.OURS)

    async def limit_at_stop(self) -> None:
        """As a session does."""
        try:
            await trio.sleep_forever()
        finally:
            self.executor.limit(GRACE)


@asynccontextmanager
async def on_stage(board: Board, *, keeps: bool = True) -> AsyncGenerator[Stage, None]:
    """A board at which one is signed in; nobody is at the journal unless it ``keeps``."""
    writer: TestProbe[Write] = TestProbe(Address("writer"))
    journal: Address[JournalMessage] = Address("journal")
    database = DatabaseActors(writer=writer.address, reader=Address[Query]("reader"), journal=journal)
    idle = Idle()
    async with (
        run_actor(lambda: idle, Address[Never]("session")),
        run_actor(Journal, journal if keeps else Address("another")),
    ):
        row = session_row()
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, writer.address))
        state = SessionState(row, None, database, publisher)
        intents = Intents(state, None, database, ClaimCache())
        yield Stage(DecisionExecutor(View(board), state, intents, {}, sign_in), board, writer)


async def sign_in() -> None:
    raise AssertionError("nobody was signed out")


def session_row() -> SessionRow:
    return SessionRow(
        id=uuid4(),
        session_name="test",
        portal="board",
        desired=Desired.RUNNING,
        start_time=NOW,
        end_time=None,
        status="running",
        login_status="success",
        total_checks=0,
        total_accepted=0,
        total_rejected=0,
        created_at=NOW,
        updated_at=NOW,
    )


def stuck_board(*jobs: Job) -> Board:
    """The portal has each click, and answers none."""
    board = Board(*jobs)
    board.hold_clicks = trio.Event()
    return board


async def hour_passes(board: Board) -> None:
    """Lets go of the click after all, so that a test that fails ends."""
    with trio.CancelScope(shield=True):
        await trio.sleep(3600)
        assert board.hold_clicks is not None
        board.hold_clicks.set()


async def test_a_stop_that_comes_with_the_claims_answer_is_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whichever of the two is heard first, and whether the click is begun or not."""
    longest = 0.0
    for _ in range(COINCIDENCES):
        board = stuck_board(JOB)
        async with on_stage(board) as stage, trio.open_nursery() as outer:
            outer.start_soon(hour_passes, board)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.see_through)
                nursery.start_soon(stage.limit_at_stop)
                await trio.testing.wait_all_tasks_blocked()
                await stage.answer_claim()
                began = trio.current_time()
                nursery.cancel_scope.cancel()
            longest = max(longest, trio.current_time() - began)
            board.hold_clicks.set()
            outer.cancel_scope.cancel()
    assert longest == pytest.approx(0, abs=GRACE + 0.1)


async def test_a_click_that_is_begun_after_the_stop_gets_what_is_left_of_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The limit holds for the session's life, not for the click that is under way just then."""
    board = stuck_board(JOB)
    async with on_stage(board) as stage, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, board)
        began = trio.current_time()
        stage.executor.limit(GRACE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.see_through)
            await stage.answer_claim()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
        outer.cancel_scope.cancel()


async def test_a_click_that_never_ends_is_cut_off_and_settled_by_reading(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The portal had it, and it is not made again; the session is not held up for good."""
    board = stuck_board(JOB)
    async with on_stage(board) as stage, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, board)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.see_through)
            await stage.answer_claim()
        assert trio.current_time() - began == pytest.approx(CLICK_SECONDS, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
        assert board.outcomes[JOB.ref] is JobOutcome.ACCEPTED
        ending = await stage.executor.settle(JOB.ref)
        assert ending is not None
        assert (ending.status, ending.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.PORTAL)
        outer.cancel_scope.cancel()
    assert board.executor == ["accept A"]


async def test_a_stop_does_not_wait_for_a_journal_that_is_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An outcome that cannot be kept within the grace is left for the next life to read."""
    board = Board(JOB)
    async with on_stage(board, keeps=False) as stage:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.see_through)
            nursery.start_soon(stage.limit_at_stop)
            await trio.testing.wait_all_tasks_blocked()
            await stage.answer_claim()
            await board.clicked.wait()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
    assert board.executor == ["accept A"]
