"""Whose rules a session gets, as the record's reader answers; the test speaks for the reader."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Never
from uuid import UUID, uuid4

import trio

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.database.refusals import NoSuchConfiguration, RecordUnavailable
from actors.database.rows import ConfigurationRow
from actors.sessions.database_actors import DatabaseActors
from actors.sessions.session.rules import Rules
from actors.sessions.session.rules_loader import RulesLoader
from actors.sessions.session.session_log import SessionLog
from actors.sessions.session.session_publisher import SessionPublisher
from actors.sessions.session.session_state import SessionState
from runtime import Address
from runtime.testing import TestProbe, run_actor

from ...database.records import NOW
from .test_decision_executor import Idle, session_row

ROW = ConfigurationRow(
    id=uuid4(),
    config_name="active",
    check_interval_seconds=Decimal("0.5"),
    results_report_interval_seconds=5,
    rejected_report_interval_seconds=43_200,
    quick_check_interval_seconds=10,
    enable_quick_check=False,
    enable_results_reporting=True,
    enable_rejected_reporting=True,
    max_accept_per_run=5,
    job_type_filter="Telephone interpreting",
    exclude_types=(),
    is_active=True,
    created_at=NOW,
    updated_at=NOW,
)


@dataclass
class Stage:
    """What reads the rules, and the reader that it asks."""

    source: RulesLoader
    books: SessionState
    reader: TestProbe[Query]
    rules: Rules | None = None

    async def read(self, kept: Rules | None = None) -> None:
        self.rules = await self.source.read(kept)


@asynccontextmanager
async def on_stage(own: UUID | None = None) -> AsyncGenerator[Stage, None]:
    reader: TestProbe[Query] = TestProbe(Address("reader"))
    desks = DatabaseActors(
        writer=Address[Write]("writer"), reader=reader.address, journal=Address[JournalMessage]("journal")
    )
    idle = Idle()
    async with run_actor(lambda: idle, Address[Never]("session")):
        row = replace(session_row(), config_id=own)
        teller = SessionPublisher(row, "http", idle.context, SessionLog(row.id, desks.writer))
        books = SessionState(row, None, desks, teller)
        yield Stage(RulesLoader(books, reader.address), books, reader)


async def test_one_whose_own_configuration_is_gone_follows_the_active_one(autojump_clock) -> None:
    """And has none of its own from then on."""
    own = uuid4()
    async with on_stage(own) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read)
        asked = await stage.reader.receive()
        assert asked.message == ConfigurationQuery(config_id=own)
        asked.refuse(NoSuchConfiguration("it was deleted"))
        asked = await stage.reader.receive()
        assert asked.message == ConfigurationQuery()
        asked.reply(ROW)
    assert (stage.rules, stage.books.row.config_id) == (Rules.of(ROW), None)


async def test_while_none_can_be_read_those_that_were_kept_hold(autojump_clock) -> None:
    """Nobody waits for the record then."""
    kept = replace(Rules.of(ROW), check_interval=7.0)
    async with on_stage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read, kept)
        (await stage.reader.receive()).refuse(RecordUnavailable("no answer"))
    assert stage.rules == kept


async def test_without_any_rules_a_session_waits_for_some(autojump_clock) -> None:
    """It would not know what to accept."""
    async with on_stage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read)
        for _ in range(3):
            (await stage.reader.receive()).refuse(RecordUnavailable("no answer"))
        assert stage.rules is None
        (await stage.reader.receive()).reply(ROW)
    assert stage.rules == Rules.of(ROW)
