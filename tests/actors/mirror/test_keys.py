from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from actors.mirror.keys import (
    Keys,
    event_text,
    is_active,
    metrics_hash,
    moment,
    remaining,
    session_hash,
    state_hash,
)
from actors.sessions.messages import SessionStatus

from .views import BEGAN, NOW, view

ID = UUID("0a1b2c3d-0000-4000-8000-000000000001")

moments = some.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(9000, 1, 1),
    timezones=some.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
json_values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)
json_objects = some.dictionaries(some.text(), json_values, max_size=4)
views = some.builds(
    view,
    some.text(max_size=255),
    key=some.uuids(),
    status=some.sampled_from(SessionStatus),
    start_time=moments,
    end_time=some.none() | moments,
    updated_at=moments,
    checks=some.integers(0, 2**31 - 1),
)


def test_keys_are_the_contracts() -> None:
    """Behind a prefix where there is one."""
    keys = Keys()
    assert (keys.state, keys.active, keys.events) == ("bot:state", "bot:sessions:active", "bot:events")
    assert (keys.session(ID), keys.metrics(ID)) == (f"bot:session:{ID}", f"bot:metrics:{ID}")
    assert Keys(prefix="{bots}:").session(ID) == f"{{bots}}:bot:session:{ID}"
    assert (keys.waiting, keys.processing) == ("bot:tasks:queue", "bot:tasks:processing")
    assert keys.task(ID) == f"bot:task:{ID}"
    escaped = "a\\*\\[b\\]bot:"
    assert Keys(prefix="a*[b]").patterns() == (
        f"{escaped}session:*",
        f"{escaped}metrics:*",
        f"{escaped}task:*",
    )


def test_a_session_is_as_the_documents_show_it() -> None:
    """All fields are text; there is an end only when there was one."""
    session = view(key=ID)
    assert session_hash(session) == {
        "id": str(ID),
        "session_name": "Session Name",
        "start_time": "2025-09-28T05:15:14Z",
        "status": "running",
        "login_status": "success",
        "total_checks": "42",
        "total_accepted": "5",
        "total_rejected": "37",
        "created_at": "2025-09-28T05:15:14Z",
        "updated_at": "2025-09-28T05:20:14Z",
    }
    assert session_hash(replace(session, end_time=NOW))["end_time"] == "2025-09-28T05:20:14Z"


def test_metrics_are_as_the_documents_show_them() -> None:
    """The uptime of a session that ended stands still."""
    session = view(key=ID)
    assert metrics_hash(session, NOW) == {
        "total_checks": "42",
        "total_accepted": "5",
        "total_rejected": "37",
        "login_status": "success",
        "status": "running",
        "uptime": "300.5",
        "timestamp": "2025-09-28T05:20:14Z",
    }
    ended = replace(session, status=SessionStatus.STOPPED, end_time=BEGAN + timedelta(seconds=7))
    assert metrics_hash(ended, NOW)["uptime"] == "7.0"


@pytest.mark.parametrize(
    ("status", "state", "has_session"),
    [
        (SessionStatus.STARTING, "starting", True),
        (SessionStatus.RUNNING, "running", True),
        (SessionStatus.STOPPING, "stopping", True),
        (SessionStatus.STOPPED, "stopped", False),
        (SessionStatus.FAILED, "error", True),
    ],
)
def test_the_state_is_one_of_five(status: SessionStatus, state: str, has_session: bool) -> None:
    """A failed session is an error, and a stopped one is nobody's."""
    assert state_hash(view(key=ID, status=status), NOW) == {
        "state": state,
        "session_id": str(ID) if has_session else "",
        "timestamp": "2025-09-28T05:20:14Z",
        "updated_by": "system",
    }


def test_no_session_is_a_stopped_state() -> None:
    """Clients of the Compatibility API know no word for none."""
    assert state_hash(None, NOW)["state"] == "stopped"


def test_an_event_is_as_the_documents_show_it() -> None:
    """Its data is a text within the text, the same for the same event."""
    text = event_text(event=ID, session=ID, kind="job_found", data={"key": "value", "a": 1}, timestamp=NOW)
    assert text == (
        f'{{"id": "{ID}", "session_id": "{ID}", "type": "job_found", '
        '"data": "{\\"a\\": 1, \\"key\\": \\"value\\"}", "timestamp": "2025-09-28T05:20:14Z"}'
    )


def test_keys_stay_a_day_after_the_end() -> None:
    """Those of an active session stay as long as it is."""
    old = NOW + timedelta(hours=30)
    assert remaining(view(), old) == timedelta(hours=24)
    ended = view(status=SessionStatus.FAILED)
    assert remaining(ended, NOW + timedelta(hours=1)) == timedelta(hours=23)
    assert remaining(ended, old) < timedelta()
    assert remaining(ended, NOW - timedelta(hours=1)) == timedelta(hours=24)


@given(event=some.uuids(), session=some.uuids(), kind=some.text(), data=json_objects, timestamp=moments)
def test_whatever_happened_can_be_read_back(
    event: UUID, session: UUID, kind: str, data: Mapping[str, object], timestamp: datetime
) -> None:
    """To the second; nothing in it can break out of the text, or out of UTF-8."""
    text = event_text(event=event, session=session, kind=kind, data=data, timestamp=timestamp)
    assert text.isascii()
    assert "\n" not in text
    read = json.loads(text)
    assert (UUID(read["id"]), UUID(read["session_id"]), read["type"]) == (event, session, kind)
    assert json.loads(read["data"]) == data
    assert datetime.fromisoformat(read["timestamp"]) == timestamp.replace(microsecond=0)
    again = event_text(
        event=event, session=session, kind=kind, data=dict(reversed(data.items())), timestamp=timestamp
    )
    assert again == text


@given(session=views, now=moments)
def test_every_field_of_every_session_is_text(session, now: datetime) -> None:
    """And none is a word of Python's."""
    for fields in (session_hash(session), metrics_hash(session, now), state_hash(session, now)):
        assert all(type(value) is str for value in fields.values())
        assert not any(value == "None" for key, value in fields.items() if key != "session_name")
    assert float(metrics_hash(session, now)["uptime"]) >= 0
    assert is_active(session) == (state_hash(session, now)["state"] in {"starting", "running", "stopping"})


@given(moments)
def test_moments_are_utc(time: datetime) -> None:
    """In the form that the documents show, whatever zone they came in."""
    assert datetime.strptime(moment(time), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) == time.replace(
        microsecond=0
    )
