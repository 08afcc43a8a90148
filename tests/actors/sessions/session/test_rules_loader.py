"""Loading rules; the test replies in place of the database reader."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Never
from uuid import UUID, uuid4

import trio

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.errors import DatabaseOutage, NoSuchConfiguration
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.sessions.database_actors import DatabaseActors
from actors.sessions.session.rules import Rules
from actors.sessions.session.rules_loader import RulesLoader
from actors.sessions.session.session_log import SessionLog
from actors.sessions.session.session_publisher import SessionPublisher
from actors.sessions.session.session_state import SessionState
from runtime import Address
from runtime.testing import TestProbe, run_actor

from ....builders import configuration_row
from .test_decision_executor import Idle, session_row

ROW = configuration_row(config_name="active")


@dataclass
class Stage:
    """A rules loader and the reader that it asks."""

    source: RulesLoader
    state: SessionState
    reader: TestProbe[Query]
    rules: Rules | None = None

    async def read(self, current: Rules | None = None) -> None:
        self.rules = await self.source.read(current)


@asynccontextmanager
async def on_stage(own: UUID | None = None) -> AsyncGenerator[Stage, None]:
    reader: TestProbe[Query] = TestProbe(Address("reader"))
    database = DatabaseActors(
        writer=Address[Write]("writer"), reader=reader.address, journal=Address[JournalMessage]("journal")
    )
    idle = Idle()
    async with run_actor(lambda: idle, Address[Never]("session")):
        row = replace(session_row(), config_id=own)
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, database.writer))
        state = SessionState(row, None, database, publisher)
        yield Stage(RulesLoader(state, reader.address), state, reader)


async def test_after_its_configuration_is_deleted_a_session_uses_the_active_one(autojump_clock) -> None:
    """The session then has no configuration of its own."""
    own = uuid4()
    async with on_stage(own) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read)
        asked = await stage.reader.receive()
        assert asked.message == ConfigurationQuery(config_id=own)
        asked.refuse(NoSuchConfiguration("it was deleted"))
        asked = await stage.reader.receive()
        assert asked.message == ConfigurationQuery()
        asked.reply(ROW)
    assert (stage.rules, stage.state.row.config_id) == (Rules.of(ROW), None)


async def test_if_the_read_fails_the_current_rules_stay(autojump_clock) -> None:
    """The session does not wait for the database."""
    current = replace(Rules.of(ROW), check_interval=7.0)
    async with on_stage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read, current)
        (await stage.reader.receive()).refuse(DatabaseOutage("no answer"))
    assert stage.rules == current


async def test_without_current_rules_the_read_is_retried(autojump_clock) -> None:
    """A session without rules cannot decide."""
    async with on_stage() as stage, trio.open_nursery() as nursery:
        nursery.start_soon(stage.read)
        for _ in range(3):
            (await stage.reader.receive()).refuse(DatabaseOutage("no answer"))
        assert stage.rules is None
        (await stage.reader.receive()).reply(ROW)
    assert stage.rules == Rules.of(ROW)
