from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from actors.database.errors import WriteRefused
from actors.database.journal.journal_codec import UnreadableEntry, decode_entry, encode_entry
from actors.database.journal.messages import JournalEntry, RecordSession

from ..harness import NOW, new_outcome, session_event

SESSION = RecordSession(
    id=uuid4(),
    status="running",
    login_status="success",
    total_checks=7,
    end_time=datetime(2026, 1, 2, tzinfo=UTC),
    events=(session_event("bot_started", engine="http", list=[1, 2.5, None, {"ä": True}]),),
    at=NOW,
)


@pytest.mark.parametrize(
    "write", [SESSION, replace(SESSION, end_time=None, events=()), new_outcome(uuid4(), "A-1")]
)
def test_an_entry_is_decoded_as_it_was_encoded(write: JournalEntry) -> None:
    """With its id and its timestamp, by which it counts once."""
    assert decode_entry(encode_entry(write)) == write


def test_data_that_is_not_json_is_refused() -> None:
    """At once, to the sender."""
    with pytest.raises(WriteRefused, match=r"^RecordSession cannot be stored: "):
        encode_entry(replace(SESSION, events=(session_event("x", what=object()),)))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "Other", "entry": {}}', '{"kind": "RecordSession"}']
)
def test_an_unreadable_line_gives_the_reason(text: str) -> None:
    """A newer version may have written it."""
    unreadable = decode_entry(text)
    assert isinstance(unreadable, UnreadableEntry)
    assert unreadable.reason
