from __future__ import annotations

from uuid import uuid4

import pytest

from actors.queue.messages import (
    AddTasks,
    BackoffKind,
    ChildFailure,
    DedupMode,
    LimitScope,
    LimitTasks,
    NewTask,
    PauseTasks,
    ReprioritizeTask,
    ResumeTasks,
    RetryRule,
    RetryTask,
    TasksQuery,
    TaskState,
)

from ....builders import task_view
from ...fakes.application import FakeApplication, client, serving


async def test_a_task_is_added():
    """201 with its id and Location."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        added = await http.post("/api/tasks", json={"type": "screenshot", "data": {"page": 3}})
        found = await http.get(added.headers["Location"])
    assert added.status_code == 201
    assert added.json() == {"id": str(application.tasks[0].id), "created": True}
    assert (found.json()["id"], found.json()["data"]) == (added.json()["id"], {"page": 3})


async def test_the_same_key_is_the_same_task():
    """200 instead of 201; nothing is added."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        ask = {"json": {"type": "login"}, "headers": {"Idempotency-Key": "once"}}
        first, second = await http.post("/api/tasks", **ask), await http.post("/api/tasks", **ask)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (second.json()["created"], len(application.tasks)) == (False, 1)


@pytest.mark.parametrize("wrap", [list, lambda tasks: {"tasks": tasks}])
async def test_many_tasks_are_one_message(wrap):
    """A list in, a list out; each gets the header's key with its index."""
    application = FakeApplication()
    tasks = [{"type": "screenshot"}, {"type": "login", "idempotency_key": "own"}]
    async with serving(application), client(application) as http:
        answer = await http.post("/api/tasks", json=wrap(tasks), headers={"Idempotency-Key": "k"})
        again = await http.post("/api/tasks", json=wrap(tasks), headers={"Idempotency-Key": "k"})
    assert (answer.status_code, again.status_code) == (201, 200)
    assert [task["created"] for task in answer.json()["tasks"]] == [True, True]
    message = application.queue_messages[0]
    assert isinstance(message, AddTasks)
    assert [task.idempotency_key for task in message.tasks] == ["k#0", "own"]


async def test_every_field_of_a_task_reaches_the_queue():
    """Also the fields of its children."""
    application = FakeApplication()
    body = {
        "type": "screenshot",
        "data": {"a": [1, None]},
        "priority": 5,
        "delay_seconds": 1.5,
        "group": "g",
        "max_attempts": 7,
        "retry": {"kind": "fixed", "seconds": 2, "jitter": 0, "maximum_seconds": 9},
        "timeout_seconds": 12,
        "idempotency_key": "k",
        "dedup": "throttle",
        "dedup_seconds": 3,
        "children": [{"type": "login", "priority": -1}],
        "on_child_failure": "wait",
    }
    async with serving(application), client(application) as http:
        assert (await http.post("/api/tasks", json=body)).status_code == 201
    expected = NewTask(
        type="screenshot",
        data={"a": [1, None]},
        priority=5,
        delay_seconds=1.5,
        group="g",
        max_attempts=7,
        retry=RetryRule(kind=BackoffKind.FIXED, seconds=2, jitter=0, maximum_seconds=9),
        timeout_seconds=12,
        idempotency_key="k",
        dedup=DedupMode.THROTTLE,
        dedup_seconds=3,
        children=(NewTask(type="login", priority=-1),),
        on_child_failure=ChildFailure.WAIT,
    )
    assert application.queue_messages[0] == AddTasks(tasks=(expected,))


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ("", 422, "type must be the name of a task type, not null."),
        ('"x"', 422, 'The body must be a JSON object, not "x".'),
        ('{"type": 5}', 422, "type must be a text of 1 to 100 printable characters, not 5."),
        ('{"type": "a", "data": []}', 422, "data must be a JSON object, not []."),
        ('{"type": "a", "data": {"x": NaN}}', 400, "The body must be JSON: NaN is not a JSON value."),
        ('{"type": "a", "priority": true}', 422, "priority must be a whole number from -1000 to 1000, not"),
        ('{"type": "a", "priority": 1001}', 422, "priority must be a whole number from -1000 to 1000, not"),
        ('{"type": "a", "timeout_seconds": -1}', 422, "timeout_seconds must be a number from 0.001 to 86400"),
        ('{"type": "a", "dedup": "odd"}', 422, "dedup must be one of simple, throttle, debounce, not"),
        ('{"type": "a", "retry": {"kind": 1}}', 422, "retry.kind must be one of fixed, exponential, not 1."),
        ('{"type": "a", "retry": {"jitte": 1}}', 422, "Unknown field `retry.jitte`; did you mean"),
        ('{"type": "a", "prio": 1}', 422, "Unknown field `prio`; did you mean"),
        ('{"type": "a", "children": {}}', 422, "children must be a list of JSON objects, not {}."),
        ('{"type": "a", "children": [{"type": "b"}, 1]}', 422, "children[1] must be a JSON object, not 1."),
        (
            '{"type": "a", "children": [{}]}',
            422,
            "children[0].type must be the name of a task type, not null",
        ),
        ('{"tasks": [{"type": "a"}], "type": "b"}', 422, "Unknown field `type`"),
        ("[]", 422, "A request must contain 1 to 1000 tasks, children included, not 0."),
        ("[" + ",".join(['{"type": "a"}'] * 1001) + "]", 422, "A request must contain 1 to 1000 tasks"),
    ],
)
async def test_an_invalid_task_is_rejected(body, status, sentence):
    """One sentence names the field, what it must be, and what it was."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.post("/api/tasks", content=body)
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (status, sentence)
    assert application.queue_messages == []


async def test_tasks_are_listed_by_filters_in_pages():
    """Parameters become fields of the query; the response has the next cursor."""
    application = FakeApplication(
        tasks=[task_view(state=TaskState.FAILED), task_view(state=TaskState.FAILED)]
    )
    parent = uuid4()
    async with serving(application), client(application) as http:
        path = f"/api/tasks?state=failed&type=login&group=g&parent_id={parent}&cursor=abc&limit=5"
        page = (await http.get(path)).json()
        wrong = await http.get("/api/tasks?state=odd")
    assert ([task["id"] for task in page["tasks"]], page["next_cursor"]) == (
        [str(task.id) for task in application.tasks],
        "further",
    )
    assert application.queue_messages == [
        TasksQuery(state=TaskState.FAILED, type="login", group="g", parent_id=parent, cursor="abc", limit=5)
    ]
    assert wrong.status_code == 422


async def test_commands_return_the_changed_task():
    """Cancel by two methods, retry with and without data, promote, priority."""
    task = task_view()
    application = FakeApplication(tasks=[task])
    async with serving(application), client(application) as http:
        at = f"/api/tasks/{task.id}"
        assert (await http.delete(at)).json()["state"] == "cancelled"
        assert (await http.post(f"{at}/cancel")).json()["state"] == "cancelled"
        assert (await http.post(f"{at}/retry", json={"data": {"x": 1}})).json()["state"] == "pending"
        refused = await http.post(f"{at}/retry")
        assert (await http.post(f"{at}/promote")).status_code == 200
        assert (await http.put(f"{at}/priority", json={"priority": -3})).status_code == 200
        missing = await http.post(f"{at}/priority", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_task_state")
    assert missing.json()["detail"] == "priority must be a whole number from -1000 to 1000, not null."
    assert RetryTask(id=task.id, data={"x": 1}) in application.queue_messages
    assert ReprioritizeTask(id=task.id, priority=-3) in application.queue_messages


async def test_attempts_log_and_explanation_of_a_task():
    """Each has its own route."""
    task = task_view()
    application = FakeApplication(tasks=[task])
    async with serving(application), client(application) as http:
        attempts = (await http.get(f"/api/tasks/{task.id}/attempts")).json()
        logs = (await http.get(f"/api/tasks/{task.id}/logs")).json()
        explanation = (await http.get(f"/api/tasks/{task.id}/explain")).json()
    assert [(each["outcome"], each["error"]) for each in attempts["attempts"]] == [("failed", "no")]
    assert [line["message"] for line in logs["logs"]] == ["half way"]
    assert (explanation["claimable"], explanation["ahead"], explanation["task"]["id"]) == (
        False,
        3,
        str(task.id),
    )
    assert explanation["reasons"] == [
        {"kind": "concurrency", "text": "2 of 2 run already", "until": None, "by": ["here"]}
    ]


async def test_a_log_is_read_page_by_page():
    """Like the list of tasks; the first page needs no parameter."""
    task = task_view()
    application = FakeApplication(tasks=[task], task_log=[f"line {n}" for n in range(250)])
    read: list[str] = []
    async with serving(application), client(application) as http:
        query: dict[str, str] = {}
        for size in (100, 60, 90):
            page = (await http.get(f"/api/tasks/{task.id}/logs", params=query)).json()
            assert len(page["logs"]) == size
            read += [line["message"] for line in page["logs"]]
            query = {"cursor": page["next_cursor"], "limit": "60" if size == 100 else "1000"}
    assert read == [f"line {n}" for n in range(250)]
    assert page["next_cursor"] is None


async def test_an_endless_number_is_rejected():
    """Without Python's own message."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        body = b'{"type": "login", "data": {"n": ' + b"9" * 5000 + b"}}"
        answer = await http.post("/api/tasks", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    assert answer.json()["detail"] == "The body must be JSON: a number in it is too large."


async def test_an_unknown_task_is_404():
    """By every route; an invalid id, too."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        for path in ("", "/attempts", "/logs", "/explain"):
            answer = await http.get(f"/api/tasks/{uuid4()}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_task")
        assert (await http.get("/api/tasks/nonsense")).status_code == 404


async def test_all_tasks_or_one_type_are_paused_and_resumed():
    """The response has the type and the new state."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert (await http.post("/api/tasks/pause")).json() == {"paused": True, "type": None}
        assert (await http.post("/api/tasks/resume?type=login")).json() == {"paused": False, "type": "login"}
    assert application.queue_messages == [PauseTasks(), ResumeTasks(type="login")]


async def test_stats_have_states_limits_and_workers():
    """Every state is counted, also with no tasks."""
    application = FakeApplication(tasks=[task_view(), task_view(state=TaskState.DEAD)])
    async with serving(application), client(application) as http:
        stats = (await http.get("/api/tasks/stats")).json()
    assert stats["states"]["pending"] == stats["states"]["dead"] == 1
    assert stats["states"].keys() == set(TaskState)
    assert stats["limits"][0]["name"] == "screenshot"
    assert stats["workers"][0]["owner"] == "here"
    assert stats["paused_types"] == ["navigation"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/tasks/stats"), ("POST", "/api/tasks")])
async def test_an_unavailable_queue_is_503(method, path):
    """With Retry-After."""
    application = FakeApplication(queue_unavailable=True)
    async with serving(application), client(application) as http:
        answer = await http.request(method, path, json={"type": "login"} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_unavailable")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"name": "login", "max_running": 3},
            LimitTasks(scope=LimitScope.TYPE, name="login", max_running=3),
        ),
        (
            {"scope": "group", "name": "g", "rate": 10, "rate_seconds": 60},
            LimitTasks(scope=LimitScope.GROUP, name="g", rate=10, rate_seconds=60),
        ),
        ({"scope": "all"}, LimitTasks(scope=LimitScope.ALL, name="")),
    ],
)
async def test_limits_are_set_and_removed(body, message):
    """Missing values are unlimited; the response lists all limits."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.put("/api/tasks/limits", json=body)
    assert application.queue_messages[0] == message
    assert answer.json()["limits"][0]["max_running"] == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "name must be the name of a type, not null."),
        ({"scope": "all", "name": "x"}, 'name must be omitted for the scope all, not "x".'),
        ({"name": "x", "max_running": 0}, "max_running must be a whole number from 1 to 1000000, not 0."),
        ({"name": "x", "rat": 1}, "Unknown field `rat`; did you mean `rate`?"),
    ],
)
async def test_an_invalid_limit_is_rejected(body, sentence):
    """With a sentence; nothing reaches the queue."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.put("/api/tasks/limits", json=body)
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (422, sentence)
    assert application.queue_messages == []
