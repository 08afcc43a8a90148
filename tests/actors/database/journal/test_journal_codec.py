from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from actors.database.journal.journal_codec import Unreadable, read_text, write_text
from actors.database.journal.messages import EntryWrite, RecordSession
from actors.database.refusals import WriteRefused

from ..records import NOW, fact, outcome

SESSION = RecordSession(
    id=uuid4(),
    status="running",
    login_status="success",
    total_checks=7,
    end_time=datetime(2026, 1, 2, tzinfo=UTC),
    facts=(fact("bot_started", engine="http", list=[1, 2.5, None, {"ä": True}]),),
    at=NOW,
)


@pytest.mark.parametrize(
    "write", [SESSION, replace(SESSION, end_time=None, facts=()), outcome(uuid4(), "A-1")]
)
def test_a_fact_comes_back_as_it_was(write: EntryWrite) -> None:
    """With its id and its moment, by which it counts once."""
    assert read_text(write_text(write)) == write


def test_what_is_no_data_is_refused() -> None:
    """At once, to whoever wanted to keep it."""
    with pytest.raises(WriteRefused, match=r"^this RecordSession cannot be kept: "):
        write_text(replace(SESSION, facts=(fact("x", what=object()),)))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "Other", "fact": {}}', '{"kind": "RecordSession"}']
)
def test_a_line_that_nobody_understands_says_why(text: str) -> None:
    """It may be a newer version's."""
    unreadable = read_text(text)
    assert isinstance(unreadable, Unreadable)
    assert unreadable.reason
