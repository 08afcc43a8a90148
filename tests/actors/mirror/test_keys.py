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
    event_json,
    format_time,
    is_active,
    metrics_hash,
    session_hash,
    state_hash,
    time_to_live,
)
from actors.sessions.messages import SessionStatus

from .views import NOW, STARTED, view

ID = UUID("0a1b2c3d-0000-4000-8000-000000000001")

times = some.datetimes(
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
    start_time=times,
    end_time=some.none() | times,
    updated_at=times,
    checks=some.integers(0, 2**31 - 1),
)


def test_names_are_those_of_the_contract() -> None:
    """Behind the prefix, if one is configured."""
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


def test_a_session_hash_is_as_documented() -> None:
    """All fields are text; ``end_time`` is there only after the end."""
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


def test_a_metrics_hash_is_as_documented() -> None:
    """The uptime of an ended session does not grow."""
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
    ended = replace(session, status=SessionStatus.STOPPED, end_time=STARTED + timedelta(seconds=7))
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
def test_the_state_has_five_values(status: SessionStatus, state: str, has_session: bool) -> None:
    """A failed session is an error; a stopped state names no session."""
    assert state_hash(view(key=ID, status=status), NOW) == {
        "state": state,
        "session_id": str(ID) if has_session else "",
        "timestamp": "2025-09-28T05:20:14Z",
        "updated_by": "system",
    }


def test_the_state_without_a_session_is_stopped() -> None:
    """Clients of the Compatibility API know no other value for that."""
    assert state_hash(None, NOW)["state"] == "stopped"


def test_an_event_is_as_documented() -> None:
    """Its data is JSON within JSON, the same text for the same event."""
    text = event_json(event=ID, session=ID, kind="job_found", data={"key": "value", "a": 1}, timestamp=NOW)
    assert text == (
        f'{{"id": "{ID}", "session_id": "{ID}", "type": "job_found", '
        '"data": "{\\"a\\": 1, \\"key\\": \\"value\\"}", "timestamp": "2025-09-28T05:20:14Z"}'
    )


def test_keys_expire_a_day_after_the_end() -> None:
    """Those of an active session do not."""
    old = NOW + timedelta(hours=30)
    assert time_to_live(view(), old) == timedelta(hours=24)
    ended = view(status=SessionStatus.FAILED)
    assert time_to_live(ended, NOW + timedelta(hours=1)) == timedelta(hours=23)
    assert time_to_live(ended, old) < timedelta()
    assert time_to_live(ended, NOW - timedelta(hours=1)) == timedelta(hours=24)


@given(event=some.uuids(), session=some.uuids(), kind=some.text(), data=json_objects, timestamp=times)
def test_every_event_can_be_parsed(
    event: UUID, session: UUID, kind: str, data: Mapping[str, object], timestamp: datetime
) -> None:
    """With a resolution of a second; the text is one line of ASCII."""
    text = event_json(event=event, session=session, kind=kind, data=data, timestamp=timestamp)
    assert text.isascii()
    assert "\n" not in text
    read = json.loads(text)
    assert (UUID(read["id"]), UUID(read["session_id"]), read["type"]) == (event, session, kind)
    assert json.loads(read["data"]) == data
    assert datetime.fromisoformat(read["timestamp"]) == timestamp.replace(microsecond=0)
    again = event_json(
        event=event, session=session, kind=kind, data=dict(reversed(data.items())), timestamp=timestamp
    )
    assert again == text


@given(session=views, now=times)
def test_every_field_is_text(session, now: datetime) -> None:
    """And none is the text ``None``."""
    for fields in (session_hash(session), metrics_hash(session, now), state_hash(session, now)):
        assert all(type(value) is str for value in fields.values())
        assert not any(value == "None" for key, value in fields.items() if key != "session_name")
    assert float(metrics_hash(session, now)["uptime"]) >= 0
    assert is_active(session) == (state_hash(session, now)["state"] in {"starting", "running", "stopping"})


@given(times)
def test_times_are_utc(time: datetime) -> None:
    """In the documented form, from every time zone."""
    assert datetime.strptime(format_time(time), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) == time.replace(
        microsecond=0
    )
