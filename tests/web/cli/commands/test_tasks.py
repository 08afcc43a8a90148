"""`botvisor tasks`, as a process against a served front end."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from actors.queue.messages import AddTasks, PauseTasks, ResumeTasks, RetryTask, TaskState

from ....builders import task_view, web_settings
from ...fakes.application import FakeApplication, serving
from ..process import botvisor


async def test_a_task_is_added_listed_and_shown(home: dict[str, str]) -> None:
    """``add`` prints only the id, for scripts."""
    async with serving(FakeApplication()) as application:
        arguments = ("screenshot", "--data", '{"page": 2}', "--priority", "3", "--key", "once")
        added = await botvisor(home, "tasks", "add", *arguments, "--url", application.url)
        again = await botvisor(home, "tasks", "add", *arguments, "--url", application.url)
        assert (added.code, added.err) == (0, "")
        task_id = UUID(added.out.strip())
        assert (again.code, again.out) == (0, added.out)
        assert again.err == "a task with this idempotency key already exists\n"
        (request, _) = [message for message in application.queue_messages if isinstance(message, AddTasks)]
        (task,) = request.tasks
        assert (task.type, task.data, task.priority) == ("screenshot", {"page": 2}, 3)

        listed = await botvisor(home, "tasks", "list", "--limit", "1", "--url", application.url)
        assert listed.code == 0
        heading, line = listed.out.splitlines()
        assert heading.split() == ["ID", "TYPE", "STATE", "PRIORITY", "ATTEMPTS", "ADDED", "NOTE"]
        assert line.split()[:5] == [str(task_id), "screenshot", "pending", "0", "0/3"]

        shown = await botvisor(home, "tasks", "show", str(task_id), "--url", application.url)
        assert shown.code == 0
        rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
        assert rows["id"] == str(task_id)
        assert rows["key"] == "once"
        assert rows["data"] == '{"page": 2}'
        assert rows["attempt"].endswith("at here, failed after 0s: no")
        assert rows["log"].endswith("info: half way")


async def test_a_list_spans_several_pages(home: dict[str, str]) -> None:
    """Up to its limit."""
    application = FakeApplication(
        tasks=[task_view(type=f"type_{n}", state=TaskState.FAILED, error="no\nway") for n in range(3)]
    )
    async with serving(application):
        listed = await botvisor(
            home, "tasks", "list", "--state", "failed", "--limit", "5", "--url", application.url
        )
        lines = listed.out.splitlines()[1:]
        assert len(lines) == 5
        assert [line.split()[1] for line in lines[:3]] == ["type_0", "type_1", "type_2"]
        assert all(line.endswith("no way") for line in lines)
        none = await botvisor(home, "tasks", "list", "--state", "dead", "--url", application.url)
        assert (none.code, none.out, none.err) == (0, "", "no such tasks\n")


async def test_json_is_the_response_of_the_instance(home: dict[str, str]) -> None:
    """For every command."""
    view = task_view(state=TaskState.FAILED)
    async with serving(FakeApplication(tasks=[view])) as application:

        async def print_json(*arguments: str) -> Any:
            result = await botvisor(home, "tasks", *arguments, "--url", application.url, "--json")
            assert (result.code, result.err) == (0, "")
            return json.loads(result.out)

        (listed,) = await print_json("list", "--limit", "1")
        shown = await print_json("show", str(view.id))
        assert shown.keys() == {"task", "attempts", "logs"}
        assert shown["task"] == listed
        assert listed["id"] == str(view.id)
        explained = await print_json("explain", str(view.id))
        assert explained["reasons"][0]["kind"] == "concurrency"
        assert await print_json("pause") == {"paused": True, "type": None}
        (retried,) = await print_json("retry", str(view.id))
        assert retried["state"] == "pending"
        added = await print_json("add", "login")
        assert added["created"] is True


async def test_a_long_log_is_printed_whole(home: dict[str, str]) -> None:
    """Over several pages; `show` prints the first and a hint."""
    task = task_view()
    async with serving(
        FakeApplication(tasks=[task], task_log=[f"line {n}" for n in range(2345)])
    ) as application:
        whole = await botvisor(home, "tasks", "logs", str(task.id), "--url", application.url)
        assert (whole.code, whole.err) == (0, "")
        lines = whole.out.splitlines()
        assert [line.rpartition("info: ")[2] for line in lines] == [f"line {n}" for n in range(2345)]
        some = await botvisor(
            home, "tasks", "logs", str(task.id), "--limit", "1003", "--url", application.url
        )
        assert some.out.splitlines() == lines[:1003]
        data = await botvisor(home, "tasks", "logs", str(task.id), "--json", "--url", application.url)
        assert [line["message"] for line in json.loads(data.out)][-1] == "line 2344"
        shown = await botvisor(home, "tasks", "show", str(task.id), "--url", application.url)
        assert shown.err == f"more log lines: botvisor tasks logs {task.id}\n"


async def test_stats_are_printed(home: dict[str, str]) -> None:
    """Counts by type and state, limits and workers."""
    async with serving(FakeApplication(tasks=[task_view(), task_view(state=TaskState.DEAD)])) as application:
        stats = await botvisor(home, "tasks", "stats", "--url", application.url)
        assert (stats.code, stats.err) == (0, "")
        heading, *_ = stats.out.splitlines()
        assert heading.split() == ["TYPE", *(state.upper() for state in TaskState)]
        rows = {line.split()[0]: " ".join(line.split()[1:]) for line in stats.out.splitlines()}
        assert rows["screenshot"] == "4 1 0 0 0 0 0"
        assert rows["all"] == "1 0 0 0 0 0 1"
        assert rows["limit"] == "type screenshot: 2 of 2 running"
        assert rows["worker"] == "here accepts screenshot"
        data = await botvisor(home, "tasks", "stats", "--json", "--url", application.url)
        assert json.loads(data.out)["states"]["dead"] == 1


async def test_tasks_are_changed(home: dict[str, str]) -> None:
    """Several at once; each is printed with its new state."""
    views = [task_view(state=TaskState.FAILED), task_view(state=TaskState.DELAYED)]
    one, two = (str(view.id) for view in views)
    async with serving(FakeApplication(tasks=views)) as application:
        retried = await botvisor(
            home, "tasks", "retry", one, "--data", '{"page": 9}', "--url", application.url
        )
        assert retried.code == 0
        assert retried.out.splitlines()[1].split()[:3] == [one, "screenshot", "pending"]
        assert RetryTask(id=UUID(one), data={"page": 9}) in application.queue_messages
        promoted = await botvisor(home, "tasks", "promote", two, "--url", application.url)
        assert promoted.code == 0
        cancelled = await botvisor(home, "tasks", "cancel", one, two, "--url", application.url)
        assert cancelled.code == 0
        assert [line.split()[::2][:2] for line in cancelled.out.splitlines()[1:]] == [
            [one, "cancelled"],
            [two, "cancelled"],
        ]


async def test_tasks_are_paused_and_resumed(home: dict[str, str]) -> None:
    """All, or one type."""
    async with serving(FakeApplication()) as application:
        paused = await botvisor(home, "tasks", "pause", "--type", "login", "--url", application.url)
        resumed = await botvisor(home, "tasks", "resume", "--url", application.url)
        assert (paused.code, paused.out) == (0, "paused: login\n")
        assert (resumed.code, resumed.out) == (0, "resumed: all types\n")
        assert application.queue_messages[-2:] == [PauseTasks(type="login"), ResumeTasks(type=None)]


async def test_every_reason_is_printed(home: dict[str, str]) -> None:
    """In the queue's own sentences."""
    view = task_view()
    async with serving(FakeApplication(tasks=[view])) as application:
        explained = await botvisor(home, "tasks", "explain", str(view.id), "--url", application.url)
        assert explained.code == 0
        head, reason = explained.out.splitlines()
        assert head == f"screenshot {view.id} is pending"
        assert re.fullmatch(r"concurrency +2 of 2 run already \(here\)", reason)


async def test_a_rejection_is_one_sentence(home: dict[str, str]) -> None:
    """On standard error, with exit code 1; tasks changed before it are printed."""
    failed, pending = task_view(state=TaskState.FAILED), task_view()
    async with serving(FakeApplication(tasks=[failed, pending])) as application:
        retried = await botvisor(
            home, "tasks", "retry", str(failed.id), str(pending.id), "--url", application.url
        )
        assert retried.code == 1
        assert str(failed.id) in retried.out
        assert retried.err == f"botvisor: task {pending.id}: cannot retry a task that is pending\n"
        unknown = uuid4()
        missing = await botvisor(home, "tasks", "show", str(unknown), "--url", application.url)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err == f"botvisor: task {unknown} not found\n"
        application.queue_unavailable = True
        unavailable = await botvisor(home, "tasks", "add", "login", "--url", application.url)
        assert (unavailable.code, unavailable.out) == (1, "")
        assert unavailable.err.startswith("botvisor: PostgreSQL at db.example is unavailable")
        assert unavailable.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("show", "no-id"), ("add", "login", "--data", "[1]"), ("list", "--state", "lost"), ("cancel",)],
)
async def test_an_invalid_command_is_a_usage_error(home: dict[str, str], arguments: tuple[str, ...]) -> None:
    """Exit code 2, without a request."""
    result = await botvisor(home, "tasks", *arguments)
    assert (result.code, result.out) == (2, "")


async def test_no_instance_and_a_wrong_token_are_one_sentence(home: dict[str, str]) -> None:
    """As in other commands."""
    result = await botvisor(home, "tasks", "list", "--set", "web.port=0", "--data-dir", "here")
    assert result.code == 1
    assert result.err == f"botvisor: botvisor is not running on the data directory {home['HOME']}/here\n"
    application = FakeApplication()
    application.settings = replace(web_settings(), token=SecretStr("right"))
    async with serving(application):
        wrong = await botvisor(
            home | {"BOTVISOR__WEB__TOKEN": "wrong"}, "tasks", "list", "--url", application.url
        )
        right = await botvisor(
            home | {"BOTVISOR__WEB__TOKEN": "right"}, "tasks", "list", "--url", application.url
        )
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {application.url} refuses the token: ")
    assert right.code == 0
