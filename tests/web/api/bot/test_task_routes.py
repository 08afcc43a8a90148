from __future__ import annotations

from uuid import uuid4

import pytest

from actors.database.sessions.messages import EventsQuery
from actors.queue.messages import AddTasks, NewTask, TaskState

from ....builders import NOON, event_row, session_row, session_view, task_view
from ...fakes.actors import Fail
from ...fakes.application import FakeApplication, client, serving


async def test_tasks_are_counted_beside_the_bot():
    """In the fields of the Compatibility API."""
    view = session_view()
    application = FakeApplication(
        sessions=[view],
        tasks=[task_view(), task_view(state=TaskState.DELAYED), task_view(state=TaskState.RUNNING)],
    )
    async with serving(application), client(application) as http:
        response = (await http.get("/api/bot/tasks")).json()
    assert response.keys() == {"pending_tasks", "processing_tasks", "bot_state", "active_sessions"}
    assert (response["pending_tasks"], response["processing_tasks"]) == (2, 1)
    assert {"state", "session_id", "timestamp", "updated_by", "current_session_id"} == response[
        "bot_state"
    ].keys()
    assert response["bot_state"]["session_id"] == response["active_sessions"][0]["id"] == str(view.id)


async def test_a_task_of_the_contract_is_added():
    """Type and priority are parameters, the data is the body; any number is accepted as a priority."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        plain = await http.post("/api/bot/tasks/add?task_type=login")
        full = await http.post("/api/bot/tasks/add?task_type=navigation&priority=5000", json={"url": "/"})
    assert plain.json() == {"message": "Task added successfully", "task_id": str(application.tasks[0].id)}
    assert full.status_code == 200
    assert application.queue_messages == [
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
async def test_an_invalid_task_is_rejected(query, status, sentence):
    """400 for an unknown type, otherwise 422; nothing reaches the queue."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.post(f"/api/bot/tasks/add{query}")
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (status, sentence)
    assert application.queue_messages == []


async def test_events_of_a_session_are_filtered_before_they_are_limited():
    """Both by the database query."""
    session = uuid4()
    row = event_row(session_id=session, type="bot_started", data={"a": 1})
    application = FakeApplication(event_rows=[row])
    async with serving(application), client(application) as http:
        response = (await http.get(f"/api/bot/events/{session}?limit=7")).json()
    assert response["events"] == [
        {
            "id": str(row.id),
            "session_id": str(session),
            "type": "bot_started",
            "data": {"a": 1},
            "timestamp": NOON.isoformat(),
        }
    ]
    assert application.queries == [EventsQuery(session_id=session, limit=7)]


async def test_metrics_of_running_and_past_sessions():
    """All values are strings; 404 for an unknown session."""
    running, ended = session_view(), session_row(total_checks=9)
    application = FakeApplication(sessions=[running], session_rows=[ended])
    async with serving(application), client(application) as http:
        now = (await http.get(f"/api/bot/metrics/{running.id}")).json()["metrics"]
        then = (await http.get(f"/api/bot/metrics/{ended.id}")).json()["metrics"]
        none = await http.get(f"/api/bot/metrics/{uuid4()}")
    assert (now["total_checks"], then["total_checks"], none.status_code) == ("7", "9", 404)
    assert all(isinstance(value, str) for value in now.values())


async def test_metrics_of_an_old_session():
    """However many started after it; the 404 names the id."""
    rows = [session_row(total_checks=n) for n in range(1001)]
    unknown = uuid4()
    application = FakeApplication(session_rows=rows)
    async with serving(application), client(application) as http:
        oldest = (await http.get(f"/api/bot/metrics/{rows[-1].id}")).json()["metrics"]
        none = await http.get(f"/api/bot/metrics/{unknown}")
    assert oldest["total_checks"] == "1000"
    assert (none.status_code, none.json()["code"]) == (404, "no_such_session")
    assert str(unknown) in none.json()["detail"]


async def test_the_system_status_answers_without_redis_and_postgresql():
    """It reports the error and what is known from memory."""
    application = FakeApplication(sessions=[session_view()], tasks=[task_view()])
    async with serving(application), client(application) as http:
        healthy = (await http.get("/api/bot/system-status")).json()
        application.queue_unavailable = True
        application.mirror.tell_nowait(Fail(reason="power cut"))
        degraded = (await http.get("/api/bot/system-status")).json()
    assert (healthy["redis_connected"], healthy["pending_tasks"], healthy["error"]) == (True, 1, None)
    assert (degraded["redis_connected"], degraded["pending_tasks"]) == (False, None)
    assert degraded["error"].startswith("PostgreSQL at db.example is unavailable")
    assert degraded["active_sessions_count"] == 1


async def test_the_mirror_is_compared_and_repaired():
    """A repair returns the status after it."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        before = (await http.get("/api/mirror/status")).json()
        after = (await http.post("/api/mirror/repair")).json()
    assert (before["lag_ms"], before["differences"]) == (1.5, ["bot:state is gone"])
    assert (after["differences"], after["rebuilds"]) == ([], 2)
