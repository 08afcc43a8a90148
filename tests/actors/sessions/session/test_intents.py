"""What is claimed before it is clicked, as the record's writer answers; the test speaks for the writer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never
from uuid import uuid4

import pytest
import trio

from actors.database.errors import DatabaseOutage, WriteRefused
from actors.database.jobs.messages import Claim, RecordIntent
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.database.rows import Decision
from actors.sessions.database_actors import DatabaseActors
from actors.sessions.session.claim_cache import ClaimCache
from actors.sessions.session.intents import Intents
from actors.sessions.session.session_log import SessionLog
from actors.sessions.session.session_publisher import SessionPublisher
from actors.sessions.session.session_state import SessionState
from runtime import Address
from runtime.testing import TestProbe, run_actor

from .test_decision_executor import Idle, session_row
from .test_session import job


@dataclass
class Stage:
    """What claims, and the writer that it asks."""

    intents: Intents
    claims: ClaimCache
    writer: TestProbe[Write]
    claim: Claim | None = None

    @property
    def intent(self) -> RecordIntent:
        return self.intents.of(job("A"), Decision.ACCEPT, None)

    async def ask(self) -> None:
        self.claim = await self.intents.claim(self.intent)


@asynccontextmanager
async def on_stage() -> AsyncGenerator[Stage, None]:
    writer: TestProbe[Write] = TestProbe(Address("writer"))
    database = DatabaseActors(
        writer=writer.address, reader=Address[Query]("reader"), journal=Address[JournalMessage]("journal")
    )
    idle = Idle()
    async with run_actor(lambda: idle, Address[Never]("session")):
        row = session_row()
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, writer.address))
        claims = ClaimCache()
        yield Stage(
            Intents(SessionState(row, None, database, publisher), "here", database, claims), claims, writer
        )


async def test_a_claim_says_who_claims_what(autojump_clock) -> None:
    """And once it is ours, the other sessions of the house know."""
    async with on_stage() as stage:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.ask)
            asked = await stage.writer.receive()
            assert isinstance(asked.message, RecordIntent)
            assert (asked.message.job_ref, asked.message.owner) == ("A", "here")
            asked.reply(Claim.OURS)
        assert stage.claim is Claim.OURS
        assert stage.claims.is_anothers("board", "A", uuid4())


async def test_what_a_neighbour_claimed_is_not_asked_for(autojump_clock) -> None:
    """The record would say the same, later."""
    async with on_stage() as stage:
        stage.claims.note("board", "A", uuid4())
        await stage.ask()
        assert stage.claim is Claim.TAKEN
        stage.writer.expect_nothing()


async def test_what_the_record_cannot_hold_is_not_claimed(autojump_clock) -> None:
    """There is no point in asking again."""
    async with on_stage() as stage, trio.open_nursery() as nursery:
        stage.claim = Claim.OURS
        nursery.start_soon(stage.ask)
        (await stage.writer.receive()).refuse(WriteRefused("a NUL is in it"))
    assert stage.claim is None


async def test_a_claim_without_an_answer_is_nobodys(autojump_clock) -> None:
    """It may be on record or not: nothing is to be clicked."""
    async with on_stage() as stage:
        with pytest.raises(DatabaseOutage, match="nothing is clicked that cannot be recorded first"):
            await stage.ask()
        assert stage.claim is None
        assert not stage.claims.is_anothers("board", "A", uuid4())
