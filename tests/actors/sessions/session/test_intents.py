"""Claims before clicks; the test replies in place of the database writer."""

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
    """Intents, the claim cache and the writer that they ask."""

    intents: Intents
    claims: ClaimCache
    writer: TestProbe[Write]
    claim: Claim | None = None

    @property
    def intent(self) -> RecordIntent:
        return self.intents.intent_for(job("A"), Decision.ACCEPT, None)

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


async def test_a_claim_has_the_job_and_its_owner(autojump_clock) -> None:
    """A successful claim is cached for the other sessions of the process."""
    async with on_stage() as stage:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.ask)
            asked = await stage.writer.receive()
            assert isinstance(asked.message, RecordIntent)
            assert (asked.message.job_ref, asked.message.owner) == ("A", "here")
            asked.reply(Claim.OURS)
        assert stage.claim is Claim.OURS
        assert stage.claims.is_claimed_by_other("board", "A", uuid4())


async def test_a_cached_claim_is_not_queried(autojump_clock) -> None:
    """The database would reply the same, later."""
    async with on_stage() as stage:
        stage.claims.remember("board", "A", uuid4())
        await stage.ask()
        assert stage.claim is Claim.TAKEN
        stage.writer.expect_nothing()


async def test_a_job_that_the_database_rejects_is_not_claimed(autojump_clock) -> None:
    """A retry would not help."""
    async with on_stage() as stage, trio.open_nursery() as nursery:
        stage.claim = Claim.OURS
        nursery.start_soon(stage.ask)
        (await stage.writer.receive()).refuse(WriteRefused("a NUL is in it"))
    assert stage.claim is None


async def test_a_claim_without_a_reply_is_not_ours(autojump_clock) -> None:
    """The intent may be in the database or not, so the job is not clicked."""
    async with on_stage() as stage:
        with pytest.raises(DatabaseOutage, match="the job was not clicked"):
            await stage.ask()
        assert stage.claim is None
        assert not stage.claims.is_claimed_by_other("board", "A", uuid4())
