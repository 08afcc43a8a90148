"""`botvisor tasks` as its users meet it: a process of its own against a front end that really serves."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import trio
from pydantic import SecretStr

from actors.queue.messages import AddTasks, PauseTasks, ResumeTasks, RetryTask, TaskState

from .parts.house import House, living
from .parts.views import task_view, web_settings

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


async def botvisor(home: Path, *arguments: str, **environment: str) -> Ended:
    with trio.fail_after(60):
        ended = await trio.run_process(
            [sys.executable, "-m", "web", "tasks", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **environment},
            cwd=home,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    result = Ended(code=ended.returncode, out=ended.stdout.decode(), err=ended.stderr.decode())
    assert "Traceback" not in result.err
    return result


async def test_a_task_is_added_and_looked_at(tmp_path: Path) -> None:
    """Its id is all that is printed, so that a script can go on with it."""
    async with living(House()) as house:
        arguments = ("screenshot", "--data", '{"page": 2}', "--priority", "3", "--key", "once")
        added = await botvisor(tmp_path, "add", *arguments, "--url", house.url)
        again = await botvisor(tmp_path, "add", *arguments, "--url", house.url)
        assert (added.code, added.err) == (0, "")
        task_id = UUID(added.out.strip())
        assert (again.code, again.out) == (0, added.out)
        assert again.err == "it was there already, under this key\n"
        (request, _) = [asked for asked in house.asked_queue if isinstance(asked, AddTasks)]
        (task,) = request.tasks
        assert (task.type, task.data, task.priority) == ("screenshot", {"page": 2}, 3)

        listed = await botvisor(tmp_path, "list", "--limit", "1", "--url", house.url)
        assert listed.code == 0
        heading, line = listed.out.splitlines()
        assert heading.split() == ["ID", "TYPE", "STATE", "PRIORITY", "ATTEMPTS", "ADDED", "NOTE"]
        assert line.split()[:5] == [str(task_id), "screenshot", "pending", "0", "0/3"]

        shown = await botvisor(tmp_path, "show", str(task_id), "--url", house.url)
        assert shown.code == 0
        rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
        assert rows["id"] == str(task_id)
        assert rows["key"] == "once"
        assert rows["data"] == '{"page": 2}'
        assert rows["attempt"].endswith("at here, failed after 0s: no")
        assert rows["log"].endswith("info: half way")


async def test_a_list_goes_on_for_as_long_as_it_is_to_be(tmp_path: Path) -> None:
    """Whatever the instance gives in one answer."""
    house = House(
        tasks=[task_view(type=f"type_{n}", state=TaskState.FAILED, error="no\nway") for n in range(3)]
    )
    async with living(house):
        listed = await botvisor(tmp_path, "list", "--state", "failed", "--limit", "5", "--url", house.url)
        lines = listed.out.splitlines()[1:]
        assert len(lines) == 5
        assert [line.split()[1] for line in lines[:3]] == ["type_0", "type_1", "type_2"]
        assert all(line.endswith("no way") for line in lines)
        none = await botvisor(tmp_path, "list", "--state", "dead", "--url", house.url)
        assert (none.code, none.out, none.err) == (0, "", "no such tasks\n")


async def test_json_is_what_the_instance_said(tmp_path: Path) -> None:
    """For programs, of every command."""
    view = task_view(state=TaskState.FAILED)
    async with living(House(tasks=[view])) as house:

        async def told(*arguments: str) -> Any:
            ended = await botvisor(tmp_path, *arguments, "--url", house.url, "--json")
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


async def test_tasks_are_changed(tmp_path: Path) -> None:
    """Several at once, and each is shown as it is then."""
    views = [task_view(state=TaskState.FAILED), task_view(state=TaskState.DELAYED)]
    one, two = (str(view.id) for view in views)
    async with living(House(tasks=views)) as house:
        retried = await botvisor(tmp_path, "retry", one, "--data", '{"page": 9}', "--url", house.url)
        assert retried.code == 0
        assert retried.out.splitlines()[1].split()[:3] == [one, "screenshot", "pending"]
        assert RetryTask(id=UUID(one), data={"page": 9}) in house.asked_queue
        promoted = await botvisor(tmp_path, "promote", two, "--url", house.url)
        assert promoted.code == 0
        cancelled = await botvisor(tmp_path, "cancel", one, two, "--url", house.url)
        assert cancelled.code == 0
        assert [line.split()[::2][:2] for line in cancelled.out.splitlines()[1:]] == [
            [one, "cancelled"],
            [two, "cancelled"],
        ]


async def test_the_queue_is_held_and_let_go(tmp_path: Path) -> None:
    """All of it, or one type."""
    async with living(House()) as house:
        held = await botvisor(tmp_path, "pause", "--type", "login", "--url", house.url)
        free = await botvisor(tmp_path, "resume", "--url", house.url)
        assert (held.code, held.out) == (0, "paused: login\n")
        assert (free.code, free.out) == (0, "resumed: all types\n")
        assert house.asked_queue[-2:] == [PauseTasks(type="login"), ResumeTasks(type=None)]


async def test_every_reason_is_told(tmp_path: Path) -> None:
    """In the words of the queue."""
    view = task_view()
    async with living(House(tasks=[view])) as house:
        explained = await botvisor(tmp_path, "explain", str(view.id), "--url", house.url)
        assert explained.code == 0
        head, reason = explained.out.splitlines()
        assert head == f"screenshot {view.id} is pending"
        assert re.fullmatch(r"concurrency +2 of 2 run already \(here\)", reason)


async def test_what_is_declined_is_one_sentence(tmp_path: Path) -> None:
    """On standard error, exit code 1; what was done before it is shown."""
    failed, pending = task_view(state=TaskState.FAILED), task_view()
    async with living(House(tasks=[failed, pending])) as house:
        retried = await botvisor(tmp_path, "retry", str(failed.id), str(pending.id), "--url", house.url)
        assert retried.code == 1
        assert str(failed.id) in retried.out
        assert retried.err == f"botvisor: task {pending.id}: cannot retry a task that is pending\n"
        unknown = uuid4()
        missing = await botvisor(tmp_path, "show", str(unknown), "--url", house.url)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err == f"botvisor: there is no task {unknown}\n"
        house.queue_away = True
        away = await botvisor(tmp_path, "add", "login", "--url", house.url)
        assert (away.code, away.out) == (1, "")
        assert away.err.startswith("botvisor: PostgreSQL at db.example is away")
        assert away.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("show", "no-id"), ("add", "login", "--data", "[1]"), ("list", "--state", "lost"), ("cancel",)],
)
async def test_a_wrong_command_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """It ends with 2, and nobody was asked."""
    ended = await botvisor(tmp_path, *arguments)
    assert (ended.code, ended.out) == (2, "")


async def test_no_instance_and_a_wrong_token_are_one_sentence(tmp_path: Path) -> None:
    """As with the other commands."""
    ended = await botvisor(tmp_path, "list", "--set", "web.port=0", "--data-dir", "here")
    assert ended.code == 1
    assert ended.err == f"botvisor: botvisor is not running on the data directory {tmp_path}/here\n"
    house = House()
    house.settings = replace(web_settings(), token=SecretStr("right"))
    async with living(house):
        wrong = await botvisor(tmp_path, "list", "--url", house.url, BOTVISOR__WEB__TOKEN="wrong")
        right = await botvisor(tmp_path, "list", "--url", house.url, BOTVISOR__WEB__TOKEN="right")
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {house.url} refuses the token: ")
    assert right.code == 0
