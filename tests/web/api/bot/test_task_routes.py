from __future__ import annotations

from uuid import uuid4

import pytest

from actors.database.messages import EventsQuery
from actors.database.rows import EventRow
from actors.queue.messages import AddTasks, NewTask, TaskState

from ...parts.actors import Break
from ...parts.application import House, client, living
from ...parts.views import NOON, session_row, session_view, task_view


async def test_tasks_are_counted_beside_the_bot():
    """The Compatibility API's fields."""
    view = session_view()
    application = House(
        sessions=[view],
        tasks=[task_view(), task_view(state=TaskState.DELAYED), task_view(state=TaskState.RUNNING)],
    )
    async with living(application), client(application) as http:
        told = (await http.get("/api/bot/tasks")).json()
    assert told.keys() == {"pending_tasks", "processing_tasks", "bot_state", "active_sessions"}
    assert (told["pending_tasks"], told["processing_tasks"]) == (2, 1)
    assert {"state", "session_id", "timestamp", "updated_by", "current_session_id"} == told[
        "bot_state"
    ].keys()
    assert told["bot_state"]["session_id"] == told["active_sessions"][0]["id"] == str(view.id)


async def test_a_task_of_the_contract_is_added():
    """Its type and priority in the query, its data as the body; any number is a priority."""
    application = House()
    async with living(application), client(application) as http:
        plain = await http.post("/api/bot/tasks/add?task_type=login")
        full = await http.post("/api/bot/tasks/add?task_type=navigation&priority=5000", json={"url": "/"})
    assert plain.json() == {"message": "Task added successfully", "task_id": str(application.tasks[0].id)}
    assert full.status_code == 200
    assert application.asked_queue == [
        AddTasks(tasks=(NewTask(type="login"),)),
        AddTasks(tasks=(NewTask(type="navigation", priority=1000, data={"url": "/"}),)),
    ]


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("?task_type=odd", 400, "Invalid task type: odd"),
        ("?task_type=", 400, "Invalid task type: "),
        ("?task_type=%0A", 400, "Invalid task type: '\\n'"),
        ("", 422, "task_type must be one of job_accept, job_check,"),
        ("?task_type=login&priority=high", 422, "priority must be a whole number from"),
    ],
)
async def test_a_bad_task_is_refused_in_the_words_that_clients_know(query, status, sentence):
    """400 for an unknown type, 422 for what cannot be read; nothing reaches the queue."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.post(f"/api/bot/tasks/add{query}")
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (status, sentence)
    assert application.asked_queue == []


async def test_events_of_a_session_are_filtered_before_they_are_limited():
    """The record does both."""
    session = uuid4()
    row = EventRow(id=uuid4(), session_id=session, type="bot_started", data={"a": 1}, timestamp=NOON)
    application = House(event_rows=[row])
    async with living(application), client(application) as http:
        told = (await http.get(f"/api/bot/events/{session}?limit=7")).json()
    assert told["events"] == [
        {
            "id": str(row.id),
            "session_id": str(session),
            "type": "bot_started",
            "data": {"a": 1},
            "timestamp": NOON.isoformat(),
        }
    ]
    assert application.asked == [EventsQuery(session_id=session, limit=7)]


async def test_metrics_are_those_of_a_session_on_duty_or_on_record():
    """Each value a text; 404 for no session."""
    on_duty, ended = session_view(), session_row(total_checks=9)
    application = House(sessions=[on_duty], session_rows=[ended])
    async with living(application), client(application) as http:
        now = (await http.get(f"/api/bot/metrics/{on_duty.id}")).json()["metrics"]
        then = (await http.get(f"/api/bot/metrics/{ended.id}")).json()["metrics"]
        none = await http.get(f"/api/bot/metrics/{uuid4()}")
    assert (now["total_checks"], then["total_checks"], none.status_code) == ("7", "9", 404)
    assert all(isinstance(value, str) for value in now.values())


async def test_metrics_are_those_of_any_session_on_record():
    """However many began after it; where there is none, it is said which."""
    rows = [session_row(total_checks=n) for n in range(1001)]
    unknown = uuid4()
    application = House(session_rows=rows)
    async with living(application), client(application) as http:
        oldest = (await http.get(f"/api/bot/metrics/{rows[-1].id}")).json()["metrics"]
        none = await http.get(f"/api/bot/metrics/{unknown}")
    assert oldest["total_checks"] == "1000"
    assert (none.status_code, none.json()["code"]) == (404, "no_such_session")
    assert str(unknown) in none.json()["detail"]


async def test_the_system_status_answers_whatever_is_away():
    """Redis and PostgreSQL away: it says so, and tells what is known."""
    application = House(sessions=[session_view()], tasks=[task_view()])
    async with living(application), client(application) as http:
        well = (await http.get("/api/bot/system-status")).json()
        application.queue_away = True
        application.mirror.tell_nowait(Break(reason="power cut"))
        away = (await http.get("/api/bot/system-status")).json()
    assert (well["redis_connected"], well["pending_tasks"], well["error"]) == (True, 1, None)
    assert (away["redis_connected"], away["pending_tasks"]) == (False, None)
    assert away["error"].startswith("PostgreSQL at db.example is away")
    assert away["active_sessions_count"] == 1


async def test_the_mirror_is_compared_and_repaired():
    """A repair answers with how the mirror is after it."""
    application = House()
    async with living(application), client(application) as http:
        before = (await http.get("/api/mirror/status")).json()
        after = (await http.post("/api/mirror/repair")).json()
    assert (before["lag_ms"], before["differences"]) == (1.5, ["bot:state is gone"])
    assert (after["differences"], after["rebuilds"]) == ([], 2)
