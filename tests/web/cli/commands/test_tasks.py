"""`botvisor tasks` as its users meet it: a process of its own against a front end that really serves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from actors.queue.messages import AddTasks, PauseTasks, ResumeTasks, RetryTask, TaskState

from ...parts.application import House, living
from ...parts.views import task_view, web_settings
from ..command import botvisor


async def test_a_task_is_added_and_looked_at(home: dict[str, str]) -> None:
    """Its id is all that is printed, so that a script can go on with it."""
    async with living(House()) as application:
        arguments = ("screenshot", "--data", '{"page": 2}', "--priority", "3", "--key", "once")
        added = await botvisor(home, "tasks", "add", *arguments, "--url", application.url)
        again = await botvisor(home, "tasks", "add", *arguments, "--url", application.url)
        assert (added.code, added.err) == (0, "")
        task_id = UUID(added.out.strip())
        assert (again.code, again.out) == (0, added.out)
        assert again.err == "it was there already, under this key\n"
        (request, _) = [asked for asked in application.asked_queue if isinstance(asked, AddTasks)]
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


async def test_a_list_goes_on_for_as_long_as_it_is_to_be(home: dict[str, str]) -> None:
    """Whatever the instance gives in one answer."""
    application = House(
        tasks=[task_view(type=f"type_{n}", state=TaskState.FAILED, error="no\nway") for n in range(3)]
    )
    async with living(application):
        listed = await botvisor(
            home, "tasks", "list", "--state", "failed", "--limit", "5", "--url", application.url
        )
        lines = listed.out.splitlines()[1:]
        assert len(lines) == 5
        assert [line.split()[1] for line in lines[:3]] == ["type_0", "type_1", "type_2"]
        assert all(line.endswith("no way") for line in lines)
        none = await botvisor(home, "tasks", "list", "--state", "dead", "--url", application.url)
        assert (none.code, none.out, none.err) == (0, "", "no such tasks\n")


async def test_json_is_what_the_instance_said(home: dict[str, str]) -> None:
    """For programs, of every command."""
    view = task_view(state=TaskState.FAILED)
    async with living(House(tasks=[view])) as application:

        async def told(*arguments: str) -> Any:
            ended = await botvisor(home, "tasks", *arguments, "--url", application.url, "--json")
            assert (ended.code, ended.err) == (0, "")
            return json.loads(ended.out)

        (listed,) = await told("list", "--limit", "1")
        shown = await told("show", str(view.id))
        assert shown.keys() == {"task", "attempts", "logs"}
        assert shown["task"] == listed
        assert listed["id"] == str(view.id)
        explained = await told("explain", str(view.id))
        assert explained["reasons"][0]["kind"] == "concurrency"
        assert await told("pause") == {"paused": True, "type": None}
        (retried,) = await told("retry", str(view.id))
        assert retried["state"] == "pending"
        added = await told("add", "login")
        assert added["created"] is True


async def test_a_long_log_is_printed_whole(home: dict[str, str]) -> None:
    """However many answers of the instance that takes; a sheet says that there is more."""
    task = task_view()
    async with living(House(tasks=[task], task_lines=[f"line {n}" for n in range(2345)])) as application:
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
        sheet = await botvisor(home, "tasks", "show", str(task.id), "--url", application.url)
        assert sheet.err == f"its log goes on: botvisor tasks logs {task.id}\n"


async def test_the_queue_is_counted(home: dict[str, str]) -> None:
    """By type and state, with what holds tasks back and who works."""
    async with living(House(tasks=[task_view(), task_view(state=TaskState.DEAD)])) as application:
        told = await botvisor(home, "tasks", "stats", "--url", application.url)
        assert (told.code, told.err) == (0, "")
        heading, *_ = told.out.splitlines()
        assert heading.split() == ["TYPE", *(state.upper() for state in TaskState)]
        rows = {line.split()[0]: " ".join(line.split()[1:]) for line in told.out.splitlines()}
        assert rows["screenshot"] == "4 1 0 0 0 0 0"
        assert rows["all"] == "1 0 0 0 0 0 1"
        assert rows["limit"] == "type screenshot: 2 of 2 run"
        assert rows["worker"] == "here takes screenshot"
        data = await botvisor(home, "tasks", "stats", "--json", "--url", application.url)
        assert json.loads(data.out)["states"]["dead"] == 1


async def test_tasks_are_changed(home: dict[str, str]) -> None:
    """Several at once, and each is shown as it is then."""
    views = [task_view(state=TaskState.FAILED), task_view(state=TaskState.DELAYED)]
    one, two = (str(view.id) for view in views)
    async with living(House(tasks=views)) as application:
        retried = await botvisor(
            home, "tasks", "retry", one, "--data", '{"page": 9}', "--url", application.url
        )
        assert retried.code == 0
        assert retried.out.splitlines()[1].split()[:3] == [one, "screenshot", "pending"]
        assert RetryTask(id=UUID(one), data={"page": 9}) in application.asked_queue
        promoted = await botvisor(home, "tasks", "promote", two, "--url", application.url)
        assert promoted.code == 0
        cancelled = await botvisor(home, "tasks", "cancel", one, two, "--url", application.url)
        assert cancelled.code == 0
        assert [line.split()[::2][:2] for line in cancelled.out.splitlines()[1:]] == [
            [one, "cancelled"],
            [two, "cancelled"],
        ]


async def test_the_queue_is_held_and_let_go(home: dict[str, str]) -> None:
    """All of it, or one type."""
    async with living(House()) as application:
        held = await botvisor(home, "tasks", "pause", "--type", "login", "--url", application.url)
        free = await botvisor(home, "tasks", "resume", "--url", application.url)
        assert (held.code, held.out) == (0, "paused: login\n")
        assert (free.code, free.out) == (0, "resumed: all types\n")
        assert application.asked_queue[-2:] == [PauseTasks(type="login"), ResumeTasks(type=None)]


async def test_every_reason_is_told(home: dict[str, str]) -> None:
    """In the words of the queue."""
    view = task_view()
    async with living(House(tasks=[view])) as application:
        explained = await botvisor(home, "tasks", "explain", str(view.id), "--url", application.url)
        assert explained.code == 0
        head, reason = explained.out.splitlines()
        assert head == f"screenshot {view.id} is pending"
        assert re.fullmatch(r"concurrency +2 of 2 run already \(here\)", reason)


async def test_what_is_declined_is_one_sentence(home: dict[str, str]) -> None:
    """On standard error, exit code 1; what was done before it is shown."""
    failed, pending = task_view(state=TaskState.FAILED), task_view()
    async with living(House(tasks=[failed, pending])) as application:
        retried = await botvisor(
            home, "tasks", "retry", str(failed.id), str(pending.id), "--url", application.url
        )
        assert retried.code == 1
        assert str(failed.id) in retried.out
        assert retried.err == f"botvisor: task {pending.id}: cannot retry a task that is pending\n"
        unknown = uuid4()
        missing = await botvisor(home, "tasks", "show", str(unknown), "--url", application.url)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err == f"botvisor: there is no task {unknown}\n"
        application.queue_away = True
        away = await botvisor(home, "tasks", "add", "login", "--url", application.url)
        assert (away.code, away.out) == (1, "")
        assert away.err.startswith("botvisor: PostgreSQL at db.example is away")
        assert away.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("show", "no-id"), ("add", "login", "--data", "[1]"), ("list", "--state", "lost"), ("cancel",)],
)
async def test_a_wrong_command_is_a_usage_error(home: dict[str, str], arguments: tuple[str, ...]) -> None:
    """It ends with 2, and nobody was asked."""
    ended = await botvisor(home, "tasks", *arguments)
    assert (ended.code, ended.out) == (2, "")


async def test_no_instance_and_a_wrong_token_are_one_sentence(home: dict[str, str]) -> None:
    """As with the other commands."""
    ended = await botvisor(home, "tasks", "list", "--set", "web.port=0", "--data-dir", "here")
    assert ended.code == 1
    assert ended.err == f"botvisor: botvisor is not running on the data directory {home['HOME']}/here\n"
    application = House()
    application.settings = replace(web_settings(), token=SecretStr("right"))
    async with living(application):
        wrong = await botvisor(
            home | {"BOTVISOR__WEB__TOKEN": "wrong"}, "tasks", "list", "--url", application.url
        )
        right = await botvisor(
            home | {"BOTVISOR__WEB__TOKEN": "right"}, "tasks", "list", "--url", application.url
        )
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {application.url} refuses the token: ")
    assert right.code == 0
