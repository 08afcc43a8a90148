from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Never
from uuid import UUID, uuid4

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.errors import DatabaseOutage, NoSuchConfiguration
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query, Write
from actors.database.rows import Decision
from actors.portals.portal import Job
from actors.sessions.session.rules import REQUIRED, Rules, RulesLoader, decide
from actors.sessions.session.session_publisher import SessionLog, SessionPublisher
from actors.sessions.session.session_state import DatabaseActors, SessionState
from runtime import Address
from runtime.testing import TestProbe, run_actor

from ....builders import configuration_row
from .test_decision_executor import Idle, session_row

RULES = Rules(
    job_type_filter="Telephone interpreting",
    exclude_types=("Face-to-Face", "Face to Face", "In-Person", "Onsite"),
    max_accept_per_run=5,
    check_interval=0.5,
)
JOB = Job(
    ref="AZ-1",
    submitted="2026-11-20 09:00",
    appt_date="2026-11-30",
    appt_time="14:30",
    duration="60 min",
    language="Polish",
    job_type="Telephone interpreting",
    status="open",
)


def test_a_complete_job_of_the_right_type_is_accepted() -> None:
    """No reason is needed to accept."""
    verdict = decide(JOB, RULES, accepted=0)
    assert (verdict.decision, verdict.reason) == (Decision.ACCEPT, None)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_job_with_a_required_field_missing_is_rejected(name) -> None:
    """The reason names the field."""
    verdict = decide(replace(JOB, **{name: ""}), RULES, accepted=0)
    assert (verdict.decision, verdict.reason) == (Decision.REJECT, f"required field missing: {name}")


@pytest.mark.parametrize(
    ("job_type", "reason"),
    [
        ("Face-to-Face", "excluded type: Face-to-Face"),
        ("face to face interpreting", "excluded type: Face-to-Face"),
        ("Telephone interpreting, Onsite", "excluded type: Onsite"),
        ("Video interpreting", "type is Video interpreting, not Telephone interpreting"),
        ("", "type is unknown, not Telephone interpreting"),
    ],
)
def test_other_types_are_rejected_with_the_reason(job_type, reason) -> None:
    """Exclusion comes before the filter; case and hyphens do not matter."""
    verdict = decide(replace(JOB, job_type=job_type), RULES, accepted=0)
    assert (verdict.decision, verdict.reason) == (Decision.REJECT, reason)


def test_the_filter_matches_in_any_case() -> None:
    """Portals are inconsistent."""
    assert (
        decide(replace(JOB, job_type="TELEPHONE  INTERPRETING"), RULES, accepted=0).decision
        is Decision.ACCEPT
    )


def test_an_empty_filter_accepts_every_type_but_the_excluded() -> None:
    """The exclusions apply without a filter."""
    rules = replace(RULES, job_type_filter="")
    assert decide(replace(JOB, job_type="Video"), rules, accepted=0).decision is Decision.ACCEPT
    assert decide(replace(JOB, job_type="Onsite"), rules, accepted=0).decision is Decision.REJECT


@given(limit=st.integers(0, 5), found=st.integers(0, 20))
def test_no_run_accepts_more_than_its_limit(limit, found) -> None:
    """Jobs over the limit are left for the next run, neither accepted nor rejected."""
    rules = replace(RULES, max_accept_per_run=limit)
    accepted = 0
    for _ in range(found):
        verdict = decide(JOB, rules, accepted=accepted)
        assert verdict.decision in (Decision.ACCEPT, None)
        accepted += verdict.decision is Decision.ACCEPT
    assert accepted == min(limit, found)


@given(job_type=st.text(), accepted=st.integers(0, 10))
def test_a_rejection_does_not_depend_on_the_limit(job_type, accepted) -> None:
    """An unsuitable job is rejected at once."""
    job = replace(JOB, job_type=job_type)
    if decide(job, RULES, accepted=0).decision is Decision.REJECT:
        assert decide(job, RULES, accepted=accepted) == decide(job, RULES, accepted=0)


ROW = configuration_row(config_name="active")


@dataclass
class RulesHarness:
    """A rules loader and the reader that it asks."""

    source: RulesLoader
    state: SessionState
    reader: TestProbe[Query]
    rules: Rules | None = None

    async def read(self, current: Rules | None = None) -> None:
        self.rules = await self.source.read(current)


@asynccontextmanager
async def open_rules_harness(own: UUID | None = None) -> AsyncGenerator[RulesHarness, None]:
    reader: TestProbe[Query] = TestProbe(Address("reader"))
    database = DatabaseActors(
        writer=Address[Write]("writer"), reader=reader.address, journal=Address[JournalMessage]("journal")
    )
    idle = Idle()
    async with run_actor(lambda: idle, Address[Never]("session")):
        row = replace(session_row(), config_id=own)
        publisher = SessionPublisher(row, "http", idle.context, SessionLog(row.id, database.writer))
        state = SessionState(row, None, database, publisher)
        yield RulesHarness(RulesLoader(state, reader.address), state, reader)


async def test_after_its_configuration_is_deleted_a_session_uses_the_active_one(autojump_clock) -> None:
    """The session then has no configuration of its own."""
    own = uuid4()
    async with open_rules_harness(own) as harness, trio.open_nursery() as nursery:
        nursery.start_soon(harness.read)
        asked = await harness.reader.receive()
        assert asked.message == ConfigurationQuery(config_id=own)
        asked.refuse(NoSuchConfiguration("it was deleted"))
        asked = await harness.reader.receive()
        assert asked.message == ConfigurationQuery()
        asked.reply(ROW)
    assert (harness.rules, harness.state.row.config_id) == (Rules.of(ROW), None)


async def test_if_the_read_fails_the_current_rules_stay(autojump_clock) -> None:
    """The session does not wait for the database."""
    current = replace(Rules.of(ROW), check_interval=7.0)
    async with open_rules_harness() as harness, trio.open_nursery() as nursery:
        nursery.start_soon(harness.read, current)
        (await harness.reader.receive()).refuse(DatabaseOutage("no answer"))
    assert harness.rules == current


async def test_without_current_rules_the_read_is_retried(autojump_clock) -> None:
    """A session without rules cannot decide."""
    async with open_rules_harness() as harness, trio.open_nursery() as nursery:
        nursery.start_soon(harness.read)
        for _ in range(3):
            (await harness.reader.receive()).refuse(DatabaseOutage("no answer"))
        assert harness.rules is None
        (await harness.reader.receive()).reply(ROW)
    assert harness.rules == Rules.of(ROW)
