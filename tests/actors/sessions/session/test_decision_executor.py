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
from actors.sessions.session.decision_executor import CLICK_TIMEOUT, DecisionExecutor
from actors.sessions.session.intents import ClaimCache, Intents
from actors.sessions.session.rules import Verdict
from actors.sessions.session.session_publisher import SessionLog, SessionPublisher
from actors.sessions.session.session_state import DatabaseActors, SessionState
from runtime import Actor, Address
from runtime.testing import TestProbe, run_actor

from ...database.harness import NOW
from ..fake_portal import FakeConnection, FakePortal
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
class ExecutorHarness:
    """A decision executor and its portal; the test replies in place of the database writer."""

    executor: DecisionExecutor
    portal: FakePortal
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
async def open_executor_harness(
    portal: FakePortal, *, journal_available: bool = True
) -> AsyncGenerator[ExecutorHarness, None]:
    """A portal with a signed-in executor; unless ``journal_available``, the journal does not reply."""
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
        yield ExecutorHarness(
            DecisionExecutor(FakeConnection(portal), state, intents, {}, sign_in), portal, writer
        )


async def sign_in() -> None:
    raise AssertionError("the login has not expired")


def session_row() -> SessionRow:
    return SessionRow(
        id=uuid4(),
        session_name="test",
        portal="fake",
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


def stuck_portal(*jobs: Job) -> FakePortal:
    """A portal that receives each click and answers none."""
    portal = FakePortal(*jobs)
    portal.hold_clicks = trio.Event()
    return portal


async def hour_passes(portal: FakePortal) -> None:
    """Release the click after an hour, so that a failing test ends."""
    with trio.CancelScope(shield=True):
        await trio.sleep(3600)
        assert portal.hold_clicks is not None
        portal.hold_clicks.set()


async def test_a_stop_together_with_the_claims_reply_is_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whichever of the two is delivered first, and whether the click has started or not."""
    longest_stop = 0.0
    for _ in range(COINCIDENCES):
        portal = stuck_portal(JOB)
        async with open_executor_harness(portal) as harness, trio.open_nursery() as outer:
            outer.start_soon(hour_passes, portal)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(harness.execute)
                nursery.start_soon(harness.limit_at_stop)
                await trio.testing.wait_all_tasks_blocked()
                await harness.answer_claim()
                began = trio.current_time()
                nursery.cancel_scope.cancel()
            longest_stop = max(longest_stop, trio.current_time() - began)
            portal.hold_clicks.set()
            outer.cancel_scope.cancel()
    assert longest_stop == pytest.approx(0, abs=GRACE + 0.1)


async def test_a_click_that_starts_after_the_stop_has_the_rest_of_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The limit applies to the session, not only to the current click."""
    portal = stuck_portal(JOB)
    async with open_executor_harness(portal) as harness, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, portal)
        began = trio.current_time()
        harness.executor.limit(GRACE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.execute)
            await harness.answer_claim()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert harness.executor.is_open(JOB.ref)
        outer.cancel_scope.cancel()


async def test_a_click_times_out_and_its_outcome_is_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The portal received the click, so it is not repeated; the session is not blocked."""
    portal = stuck_portal(JOB)
    async with open_executor_harness(portal) as harness, trio.open_nursery() as outer:
        outer.start_soon(hour_passes, portal)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.execute)
            await harness.answer_claim()
        assert trio.current_time() - began == pytest.approx(CLICK_TIMEOUT, abs=0.1)
        assert harness.executor.is_open(JOB.ref)
        assert portal.outcomes[JOB.ref] is JobOutcome.ACCEPTED
        result = await harness.executor.resolve(JOB.ref)
        assert result is not None
        assert (result.status, result.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.PORTAL)
        outer.cancel_scope.cancel()
    assert portal.clicks == ["accept A"]


async def test_a_stop_does_not_wait_for_an_unavailable_journal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An outcome that is not recorded within the grace is left for the next incarnation."""
    portal = FakePortal(JOB)
    async with open_executor_harness(portal, journal_available=False) as harness:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.execute)
            nursery.start_soon(harness.limit_at_stop)
            await trio.testing.wait_all_tasks_blocked()
            await harness.answer_claim()
            await portal.clicked.wait()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(GRACE, abs=0.1)
        assert harness.executor.is_open(JOB.ref)
    assert portal.clicks == ["accept A"]
