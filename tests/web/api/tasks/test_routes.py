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

from ...parts.application import House, client, living
from ...parts.views import task_view


async def test_a_task_is_added_and_told_where_it_is():
    """201, its id, and its address."""
    application = House()
    async with living(application), client(application) as http:
        added = await http.post("/api/tasks", json={"type": "screenshot", "data": {"page": 3}})
        found = await http.get(added.headers["Location"])
    assert added.status_code == 201
    assert added.json() == {"id": str(application.tasks[0].id), "created": True}
    assert (found.json()["id"], found.json()["data"]) == (added.json()["id"], {"page": 3})


async def test_the_same_key_is_the_same_task():
    """200 instead of 201, and nothing new."""
    application = House()
    async with living(application), client(application) as http:
        ask = {"json": {"type": "login"}, "headers": {"Idempotency-Key": "once"}}
        first, second = await http.post("/api/tasks", **ask), await http.post("/api/tasks", **ask)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (second.json()["created"], len(application.tasks)) == (False, 1)


@pytest.mark.parametrize("wrap", [list, lambda tasks: {"tasks": tasks}])
async def test_many_tasks_are_one_message(wrap):
    """A list in, a list out; the header's key holds for each, with its number."""
    application = House()
    tasks = [{"type": "screenshot"}, {"type": "login", "idempotency_key": "own"}]
    async with living(application), client(application) as http:
        answer = await http.post("/api/tasks", json=wrap(tasks), headers={"Idempotency-Key": "k"})
        again = await http.post("/api/tasks", json=wrap(tasks), headers={"Idempotency-Key": "k"})
    assert (answer.status_code, again.status_code) == (201, 200)
    assert [one["created"] for one in answer.json()["tasks"]] == [True, True]
    message = application.asked_queue[0]
    assert isinstance(message, AddTasks)
    assert [task.idempotency_key for task in message.tasks] == ["k#0", "own"]


async def test_every_field_of_a_task_reaches_the_queue():
    """With children, whose fields are the same."""
    application = House()
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
    async with living(application), client(application) as http:
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
    assert application.asked_queue[0] == AddTasks(tasks=(expected,))


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
        ('{"type": "a", "retry": {"jitte": 1}}', 422, "retry.jitte must be left out, as it is not known"),
        ('{"type": "a", "prio": 1}', 422, "prio must be left out, as it is not known here; did you mean"),
        ('{"type": "a", "children": {}}', 422, "children must be a list of JSON objects, not {}."),
        ('{"type": "a", "children": [{"type": "b"}, 1]}', 422, "children[1] must be a JSON object, not 1."),
        (
            '{"type": "a", "children": [{}]}',
            422,
            "children[0].type must be the name of a task type, not null",
        ),
        ('{"tasks": [{"type": "a"}], "type": "b"}', 422, "type must be left out"),
        ("[]", 422, "A request must bring 1 to 1000 tasks, children included, not 0."),
        ("[" + ",".join(['{"type": "a"}'] * 1001) + "]", 422, "A request must bring 1 to 1000 tasks"),
    ],
)
async def test_a_bad_task_reaches_nobody(body, status, sentence):
    """One sentence names the field, what it must be, and what it was."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.post("/api/tasks", content=body)
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (status, sentence)
    assert application.asked_queue == []


async def test_tasks_are_listed_by_filters_a_page_at_a_time():
    """The query becomes a message; the answer says how to go on."""
    application = House(tasks=[task_view(state=TaskState.FAILED), task_view(state=TaskState.FAILED)])
    parent = uuid4()
    async with living(application), client(application) as http:
        path = f"/api/tasks?state=failed&type=login&group=g&parent_id={parent}&cursor=abc&limit=5"
        page = (await http.get(path)).json()
        wrong = await http.get("/api/tasks?state=odd")
    assert ([task["id"] for task in page["tasks"]], page["next_cursor"]) == (
        [str(task.id) for task in application.tasks],
        "further",
    )
    assert application.asked_queue == [
        TasksQuery(state=TaskState.FAILED, type="login", group="g", parent_id=parent, cursor="abc", limit=5)
    ]
    assert wrong.status_code == 422


async def test_commands_answer_with_the_task_as_it_is_then():
    """Cancel by two methods, retry with and without other data, promote, priority."""
    task = task_view()
    application = House(tasks=[task])
    async with living(application), client(application) as http:
        at = f"/api/tasks/{task.id}"
        assert (await http.delete(at)).json()["state"] == "cancelled"
        assert (await http.post(f"{at}/cancel")).json()["state"] == "cancelled"
        assert (await http.post(f"{at}/retry", json={"data": {"x": 1}})).json()["state"] == "pending"
        refused = await http.post(f"{at}/retry")
        assert (await http.post(f"{at}/promote")).status_code == 200
        assert (await http.put(f"{at}/priority", json={"priority": -3})).status_code == 200
        missing = await http.post(f"{at}/priority", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_state_forbids")
    assert missing.json()["detail"] == "priority must be a whole number from -1000 to 1000, not null."
    assert RetryTask(id=task.id, data={"x": 1}) in application.asked_queue
    assert ReprioritizeTask(id=task.id, priority=-3) in application.asked_queue


async def test_a_task_tells_its_attempts_its_log_and_why_it_waits():
    """Each under an address of its own."""
    task = task_view()
    application = House(tasks=[task])
    async with living(application), client(application) as http:
        attempts = (await http.get(f"/api/tasks/{task.id}/attempts")).json()
        logs = (await http.get(f"/api/tasks/{task.id}/logs")).json()
        told = (await http.get(f"/api/tasks/{task.id}/explain")).json()
    assert [(each["outcome"], each["error"]) for each in attempts["attempts"]] == [("failed", "no")]
    assert [line["message"] for line in logs["logs"]] == ["half way"]
    assert (told["claimable"], told["ahead"], told["task"]["id"]) == (False, 3, str(task.id))
    assert told["reasons"] == [
        {"kind": "concurrency", "text": "2 of 2 run already", "until": None, "by": ["here"]}
    ]


async def test_a_log_is_read_page_by_page():
    """As the list of tasks is; the first page needs no parameter."""
    task = task_view()
    application = House(tasks=[task], task_lines=[f"line {n}" for n in range(250)])
    read: list[str] = []
    async with living(application), client(application) as http:
        query: dict[str, str] = {}
        for size in (100, 60, 90):
            page = (await http.get(f"/api/tasks/{task.id}/logs", params=query)).json()
            assert len(page["logs"]) == size
            read += [line["message"] for line in page["logs"]]
            query = {"cursor": page["next_cursor"], "limit": "60" if size == 100 else "1000"}
    assert read == [f"line {n}" for n in range(250)]
    assert page["next_cursor"] is None


async def test_a_number_without_end_is_refused_in_our_words():
    """The client is not told how to set up Python."""
    application = House()
    async with living(application), client(application) as http:
        body = b'{"type": "login", "data": {"n": ' + b"9" * 5000 + b"}}"
        answer = await http.post("/api/tasks", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    assert answer.json()["detail"] == "The body must be JSON: a number in it is too large."


async def test_an_unknown_task_is_404():
    """Whatever is asked of it; and what is no id at all, too."""
    application = House()
    async with living(application), client(application) as http:
        for path in ("", "/attempts", "/logs", "/explain"):
            answer = await http.get(f"/api/tasks/{uuid4()}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_task")
        assert (await http.get("/api/tasks/nonsense")).status_code == 404


async def test_the_queue_is_paused_and_resumed_whole_or_by_type():
    """The answer says which, and how it is now."""
    application = House()
    async with living(application), client(application) as http:
        assert (await http.post("/api/tasks/pause")).json() == {"paused": True, "type": None}
        assert (await http.post("/api/tasks/resume?type=login")).json() == {"paused": False, "type": "login"}
    assert application.asked_queue == [PauseTasks(), ResumeTasks(type="login")]


async def test_stats_tell_states_limits_and_workers():
    """Every state is counted, also those that no task is in."""
    application = House(tasks=[task_view(), task_view(state=TaskState.DEAD)])
    async with living(application), client(application) as http:
        stats = (await http.get("/api/tasks/stats")).json()
    assert stats["states"]["pending"] == stats["states"]["dead"] == 1
    assert stats["states"].keys() == set(TaskState)
    assert stats["limits"][0]["name"] == "screenshot"
    assert stats["workers"][0]["owner"] == "here"
    assert stats["paused_types"] == ["navigation"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/tasks/stats"), ("POST", "/api/tasks")])
async def test_while_the_record_is_away_a_client_is_told_to_come_back(method, path):
    """503 with Retry-After, in one sentence."""
    application = House(queue_away=True)
    async with living(application), client(application) as http:
        answer = await http.request(method, path, json={"type": "login"} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_away")
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
async def test_limits_are_set_and_lifted(body, message):
    """What is left out is unlimited; the answer shows how all limits stand."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.put("/api/tasks/limits", json=body)
    assert application.asked_queue[0] == message
    assert answer.json()["limits"][0]["max_running"] == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "name must be the name of a type, not null."),
        ({"scope": "all", "name": "x"}, 'name must be left out for the scope all, not "x".'),
        ({"name": "x", "max_running": 0}, "max_running must be a whole number from 1 to 1000000, not 0."),
        ({"name": "x", "rat": 1}, "rat must be left out, as it is not known here; did you mean rate?"),
    ],
)
async def test_a_bad_limit_reaches_nobody(body, sentence):
    """One sentence says what would be right."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.put("/api/tasks/limits", json=body)
    assert (answer.status_code, answer.json()["detail"][: len(sentence)]) == (422, sentence)
    assert application.asked_queue == []
