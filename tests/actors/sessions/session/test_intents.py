"""Claims before clicks; the test replies in place of the database writer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Never
from uuid import uuid4

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.database.errors import DatabaseOutage, WriteRefused
from actors.database.jobs.messages import Claim, RecordIntent
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.database.rows import Decision
from actors.sessions.session import intents
from actors.sessions.session.intents import ClaimCache, Intents, parse_date, parse_moment, parse_time
from actors.sessions.session.session_publisher import SessionLog, SessionPublisher
from actors.sessions.session.session_state import DatabaseActors, SessionState
from runtime import Address
from runtime.testing import TestProbe, run_actor

from .test_decision_executor import Idle, session_row
from .test_session import job


@dataclass
class IntentsHarness:
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
async def open_intents_harness() -> AsyncGenerator[IntentsHarness, None]:
    writer: TestProbe[Write] = TestProbe(Address("writer"))
    database = DatabaseActors(
        writer=writer.address, reader=Address[Query]("reader"), journal=Address[JournalMessage]("journal")
    )
    idle = Idle()
    async with run_actor(lambda: idle, Address[Never]("session")):
        row = session_row()
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, writer.address))
        claims = ClaimCache()
        yield IntentsHarness(
            Intents(SessionState(row, None, database, publisher), "here", database, claims), claims, writer
        )


async def test_a_claim_has_the_job_and_its_owner(autojump_clock) -> None:
    """A successful claim is cached for the other sessions of the process."""
    async with open_intents_harness() as harness:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(harness.ask)
            asked = await harness.writer.receive()
            assert isinstance(asked.message, RecordIntent)
            assert (asked.message.job_ref, asked.message.owner) == ("A", "here")
            asked.reply(Claim.OURS)
        assert harness.claim is Claim.OURS
        assert harness.claims.is_claimed_by_other("fake", "A", uuid4())


async def test_a_cached_claim_is_not_queried(autojump_clock) -> None:
    """The database would reply the same, later."""
    async with open_intents_harness() as harness:
        harness.claims.remember("fake", "A", uuid4())
        await harness.ask()
        assert harness.claim is Claim.TAKEN
        harness.writer.expect_nothing()


async def test_a_job_that_the_database_rejects_is_not_claimed(autojump_clock) -> None:
    """A retry would not help."""
    async with open_intents_harness() as harness, trio.open_nursery() as nursery:
        harness.claim = Claim.OURS
        nursery.start_soon(harness.ask)
        (await harness.writer.receive()).refuse(WriteRefused("a NUL is in it"))
    assert harness.claim is None


async def test_a_claim_without_a_reply_is_not_ours(autojump_clock) -> None:
    """The intent may be in the database or not, so the job is not clicked."""
    async with open_intents_harness() as harness:
        with pytest.raises(DatabaseOutage, match="the job was not clicked"):
            await harness.ask()
        assert harness.claim is None
        assert not harness.claims.is_claimed_by_other("fake", "A", uuid4())


OURS, THEIRS = uuid4(), uuid4()


def test_an_unknown_job_is_unclaimed():
    """The session queries the database."""
    assert not ClaimCache().is_claimed_by_other("practice", "AZ-1", OURS)


def test_a_claim_blocks_other_sessions_only():
    """For one portal: another portal may use the same ref."""
    known = ClaimCache()
    known.remember("practice", "AZ-1", THEIRS)
    assert known.is_claimed_by_other("practice", "AZ-1", OURS)
    assert not known.is_claimed_by_other("practice", "AZ-1", THEIRS)
    assert not known.is_claimed_by_other("another", "AZ-1", OURS)


def test_the_claims_of_an_ended_session_are_evicted():
    """The claims of other sessions stay."""
    known = ClaimCache()
    known.remember("practice", "AZ-1", THEIRS)
    known.remember("practice", "AZ-2", OURS)
    known.forget(THEIRS)
    assert not known.is_claimed_by_other("practice", "AZ-1", OURS)
    assert known.is_claimed_by_other("practice", "AZ-2", THEIRS)


def test_the_cache_is_bounded():
    """The oldest claims are evicted, and queried again."""
    known = ClaimCache()
    for number in range(intents.MAX_CLAIMS + 1):
        known.remember("practice", f"AZ-{number}", THEIRS)
    assert not known.is_claimed_by_other("practice", "AZ-0", OURS)
    assert known.is_claimed_by_other("practice", "AZ-1", OURS)


@pytest.mark.parametrize(
    "text", ["2026-11-30", "30/11/2026", "30.11.2026", " 30 Nov  2026 ", "30 November 2026"]
)
def test_dates_are_read_day_first_or_iso(text) -> None:
    """The formats of portals."""
    assert parse_date(text) == date(2026, 11, 30)


@pytest.mark.parametrize(
    ("text", "expected"), [("14:30", time(14, 30)), ("2:30 PM", time(14, 30)), ("9 am", time(9))]
)
def test_times_are_read_in_24_or_12_hours(text, expected) -> None:
    """The formats of portals."""
    assert parse_time(text) == expected


def test_a_moment_without_a_zone_is_utc_and_with_one_keeps_it() -> None:
    """The time is not converted."""
    assert parse_moment("2026-11-23 09:05") == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    assert parse_moment("23/11/2026 09:05") == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    zone = timezone(timedelta(hours=2))
    assert parse_moment("2026-11-23T09:05+02:00") == datetime(2026, 11, 23, 9, 5, tzinfo=zone)


@given(st.text(max_size=30))
def test_any_other_text_is_none_and_no_error(text) -> None:
    """The text of a portal is untrusted data."""
    for parse in (parse_date, parse_time, parse_moment):
        parse(text)
    assert parse_date("n/a" + text.replace("\n", "")) is None
