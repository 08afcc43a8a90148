"""Claim, click, outcome: the effect of a stop in between, on the mock clock."""

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
from actors.sessions.session.decision_executor import CLICK_TIMEOUT, DecisionExecutor
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
"""Trio runs the tasks of one tick in random order, so one attempt proves little."""
JOB = job("A")
ACCEPT = Verdict(decision=Decision.ACCEPT, reason="fits")


class Idle(Actor[Never]):
    """Does nothing; a publisher uses its context."""


class Journal(Actor[JournalMessage]):
    """Accepts every entry at once."""

    async def handle(self, message: JournalMessage) -> None: ...


@dataclass
class Stage:
    """A decision executor and its portal; the test replies in place of the database writer."""

    executor: DecisionExecutor
    board: Board
    writer: TestProbe[Write]

    async def execute(self) -> None:
        await self.executor.execute(JOB, ACCEPT)

    async def answer_claim(self) -> None:
        claim = await self.writer.receive()
        assert isinstance(claim.message, RecordIntent)
        claim.reply(Claim.OURS)

    async def limit_at_stop(self) -> None:
        """Limit the clicks at a stop, as a session does."""
        try:
            await trio.sleep_forever()
        finally:
            self.executor.limit(GRACE)


@asynccontextmanager
async def on_stage(board: Board, *, journal_available: bool = True) -> AsyncGenerator[Stage, None]:
    """A board with a signed-in executor; unless ``journal_available``, the journal does not reply."""
    writer: TestProbe[Write] = TestProbe(Address("writer"))
    journal: Address[JournalMessage] = Address("journal")
    database = DatabaseActors(writer=writer.address, reader=Address[Query]("reader"), journal=journal)
    idle = Idle()
    async with (
        run_actor(lambda: idle, Address[Never]("session")),
        run_actor(Journal, journal if journal_available else Address("another")),
    ):
        row = session_row()
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, writer.address))
        state = SessionState(row, None, database, publisher)
        intents = Intents(state, None, database, ClaimCache())
        yield Stage(DecisionExecutor(View(board), state, intents, {}, sign_in), board, writer)


async def sign_in() -> None:
    raise AssertionError("the login has not expired")


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
    """A portal that receives each click and answers none."""
    board = Board(*jobs)
    board.hold_clicks = trio.Event()
    return board


async def hour_passes(board: Board) -> None:
    """Release the click after an hour, so that a failing test ends."""
    with trio.CancelScope(shield=True):
        await trio.sleep(3600)
        assert board.hold_clicks is not None
        board.hold_clicks.set()


async def test_a_stop_together_with_the_claims_reply_is_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whichever of the two is delivered first, and whether the click has started or not."""
    longest_stop = 0.0
    for _ in range(COINCIDENCES):
        board = stuck_board(JOB)
        async with on_stage(board) as stage, trio.open_nursery() as outer:
            outer.start_soon(hour_passes, board)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.execute)
                nursery.start_soon(stage.limit_at_stop)
                await trio.testing.wait_all_tasks_blocked()
                await stage.answer_claim()
                began = trio.current_time()
                nursery.cancel_scope.cancel()
            longest_stop = max(longest_stop, trio.current_time() - began)
            board.hold_clicks.set()
            outer.cancel_scope.cancel()
    assert longest_stop == pytest.approx(0, abs=GRACE + 0.1)


async def test_a_click_that_starts_after_the_stop_has_the_rest_of_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The limit applies to the session, not only to the current click."""
    board = stuck_board(JOB)
    async with on_stage(board) as stage, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, board)
        began = trio.current_time()
        stage.executor.limit(GRACE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.execute)
            await stage.answer_claim()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
        outer.cancel_scope.cancel()


async def test_a_click_times_out_and_its_outcome_is_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The portal received the click, so it is not repeated; the session is not blocked."""
    board = stuck_board(JOB)
    async with on_stage(board) as stage, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, board)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.execute)
            await stage.answer_claim()
        assert trio.current_time() - began == pytest.approx(CLICK_TIMEOUT, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
        assert board.outcomes[JOB.ref] is JobOutcome.ACCEPTED
        result = await stage.executor.resolve(JOB.ref)
        assert result is not None
        assert (result.status, result.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.PORTAL)
        outer.cancel_scope.cancel()
    assert board.clicks == ["accept A"]


async def test_a_stop_does_not_wait_for_an_unavailable_journal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An outcome that is not recorded within the grace is left for the next incarnation."""
    board = Board(JOB)
    async with on_stage(board, journal_available=False) as stage:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.execute)
            nursery.start_soon(stage.limit_at_stop)
            await trio.testing.wait_all_tasks_blocked()
            await stage.answer_claim()
            await board.clicked.wait()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert stage.executor.is_open(JOB.ref)
    assert board.clicks == ["accept A"]
