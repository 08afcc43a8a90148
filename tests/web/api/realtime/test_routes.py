from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio

from runtime.testing import next_event
from web.api.realtime.events import REALTIME_TYPES, RealtimeUpdate
from web.api.realtime.routes import MAX_DATA_BYTES

from ....builders import NOON
from ...fakes.application import FakeApplication, client, serving

PATH = "/api/bot/realtime-update"


async def test_an_update_is_published():
    """Marked as external, whatever it says itself."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        with application.bus.subscribe(RealtimeUpdate) as events:
            body = {
                "type": "job_accepted",
                "data": {"job_number": 3, "external": False},
                "timestamp": NOON.isoformat(),
            }
            answer = await http.post(PATH, json=body)
            with trio.fail_after(5):
                event = await next_event(events, RealtimeUpdate)
    assert answer.status_code == 200
    assert answer.json() == {"status": "success", "message": "Published job_accepted to WebSocket clients"}
    assert event == RealtimeUpdate(
        type="job_accepted", data={"job_number": 3, "external": True}, timestamp=NOON
    )


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01T14:00:00+02:00", NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01 12:00:00.000001", NOON + timedelta(microseconds=1)),
    ],
)
async def test_timestamps_are_parsed(timestamp, moment):
    """A time without a zone is UTC."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        with application.bus.subscribe(RealtimeUpdate) as events:
            await http.post(PATH, json={"type": "no_jobs", "timestamp": timestamp})
            with trio.fail_after(5):
                event = await next_event(events, RealtimeUpdate)
    assert (event.timestamp, event.data) == (moment, {"external": True})


async def test_without_a_timestamp_it_is_now():
    """Data is optional, too."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        with application.bus.subscribe(RealtimeUpdate) as events:
            before = datetime.now(UTC)
            await http.post(PATH, json={"type": "no_jobs"})
            with trio.fail_after(5):
                event = await next_event(events, RealtimeUpdate)
    assert before <= event.timestamp <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "type must be one of analytics_update, bot_error, "),
        ({"type": "status_update", "data": {}}, "type must be one of analytics_update, "),
        ({"type": "connection_established"}, "type must be one of analytics_update, "),
        ({"type": "supervisor_event"}, "type must be one of analytics_update, "),
        ({"type": 7}, "type must be a text of 1 to 60 printable characters, not 7."),
        ({"type": "no_jobs", "data": []}, "data must be a JSON object, not []."),
        (
            {"type": "no_jobs", "data": {"x": "y" * MAX_DATA_BYTES}},
            f"data must be at most {MAX_DATA_BYTES} bytes of JSON, not ",
        ),
        (
            {"type": "no_jobs", "timestamp": "soon"},
            'timestamp must be a time in ISO 8601, not "soon".',
        ),
        (
            {"type": "no_jobs", "timestamp": "0001-01-01T00:00:00+14:00"},
            "timestamp must be a time in ISO 8601, not",
        ),
        ({"type": "no_jobs", "sesion": 1}, "Unknown field `sesion`"),
    ],
)
async def test_an_invalid_update_is_rejected(body, sentence):
    """Nothing is published."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        with application.bus.subscribe(RealtimeUpdate) as events:
            answer = await http.post(PATH, json=body)
            assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (422, sentence)
            with trio.move_on_after(0):
                await next_event(events, RealtimeUpdate)
                pytest.fail("it was published")


def test_internal_types_are_rejected():
    """Clients trust their content."""
    assert not REALTIME_TYPES & {
        "status_update",
        "connection_established",
        "queue_update",
        "supervisor_event",
    }


async def test_a_number_outside_json_is_rejected():
    """Clients could not parse the frame."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        body = '{"type": "metric_update", "data": {"figure": [-1e400]}}'
        answer = await http.post(PATH, content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
        assert answer.json()["detail"] == "The body must be JSON: a number in it is too large."
        odd = await http.post(PATH, content='{"type": "metric_update", "\\n\\u0000": 1}')
        assert odd.status_code == 422
        assert odd.json()["detail"].isprintable()
