"""`botvisor tasks`: the task queue of a running instance."""

from __future__ import annotations

import json
from typing import Annotated, Final, cast
from uuid import UUID

import typer

from actors.queue.messages import TaskState

from ..client.instance import Endpoint, find_endpoint, send
from ..errors import RequestRejected
from ..options import ConfigOption, DataDirOption, JsonOption, SetOption, UrlOption, configuration
from ..render.output import show, show_json
from ..render.queue_render import StatsJson, stats_sheet
from ..render.task_render import (
    AddedJson,
    AttemptsJson,
    ExplanationJson,
    TaskJson,
    TaskLogs,
    TaskPageJson,
    explained,
    log_line,
    parsed,
    task_sheet,
    task_table,
)

PATH: Final = "/api/tasks"
MOST: Final = 1000
"""Tasks in one answer of the instance."""

tasks = typer.Typer(name="tasks", help="Look at the task queue of a running instance, and change it.")

TaskId = Annotated[UUID, typer.Argument(metavar="ID", help="The task's id.")]
TaskIds = Annotated[list[UUID], typer.Argument(metavar="ID...", help="The tasks' ids.")]
TypeOption = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only tasks of this type.")]


def _mapping(text: str | None) -> str | None:
    if text is not None:
        try:
            if not isinstance(json.loads(text), dict):
                raise ValueError
        except ValueError:
            raise typer.BadParameter('expected a JSON object such as {"path": "/jobs"}') from None
    return text


DataOption = Annotated[
    str | None, typer.Option("--data", metavar="JSON", callback=_mapping, help="What the handler gets.")
]


@tasks.command("list")
def listed(
    state: Annotated[TaskState | None, typer.Option("--state", help="Only tasks in this state.")] = None,
    kind: TypeOption = None,
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only this group's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, newest first.")] = 20,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, newest first."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    wanted = {"state": state and state.value, "type": kind, "group": group}
    query = {name: value for name, value in wanted.items() if value is not None}
    found: list[TaskJson] = []
    raw: list[object] = []
    while True:
        answer = send(endpoint, "GET", PATH, query={**query, "limit": str(min(MOST, limit - len(found)))})
        page = parsed(TaskPageJson, answer)
        found += page.tasks
        raw += cast("dict[str, list[object]]", answer)["tasks"]
        if page.next_cursor is None or len(found) >= limit or not page.tasks:
            break
        query["cursor"] = page.next_cursor
    if as_json:
        show_json(raw[:limit])
    elif found:
        show(task_table(found[:limit]))
    else:
        typer.echo("no such tasks", err=True)


@tasks.command("show")
def shown(
    task_id: TaskId,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a task with its attempts and the beginning of its log."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    task = send(endpoint, "GET", f"{PATH}/{task_id}")
    attempts = send(endpoint, "GET", f"{PATH}/{task_id}/attempts")
    logs = send(endpoint, "GET", f"{PATH}/{task_id}/logs")
    made, lines = parsed(AttemptsJson, attempts), parsed(TaskLogs, logs)
    if as_json:
        more = {"attempts": cast("dict[str, object]", attempts), "logs": cast("dict[str, object]", logs)}
        show_json({"task": task} | {name: answer[name] for name, answer in more.items()})
    else:
        show(task_sheet(parsed(TaskJson, task), made.attempts, lines.logs))
    if lines.next_cursor is not None:
        typer.echo(f"its log goes on: botvisor tasks logs {task_id}", err=True)


@tasks.command()
def logs(
    task_id: TaskId,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many lines; all where it is left out.")
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a task's handlers wrote, the latest last."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    room, query = limit, dict[str, str]()
    raw: list[object] = []
    while True:
        query["limit"] = str(MOST if room is None else min(MOST, room))
        answer = send(endpoint, "GET", f"{PATH}/{task_id}/logs", query=query)
        page = parsed(TaskLogs, answer)
        if as_json:
            raw += cast("dict[str, list[object]]", answer)["logs"]
        else:
            for line in page.logs:
                show(log_line(line))
        room = None if room is None else room - len(page.logs)
        if page.next_cursor is None or not page.logs or (room is not None and room <= 0):
            break
        query["cursor"] = page.next_cursor
    if as_json:
        show_json(raw)


@tasks.command()
def stats(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the tasks of each type and state, and show pauses, limits and workers."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    answer = send(endpoint, "GET", f"{PATH}/stats")
    if as_json:
        show_json(answer)
    else:
        show(stats_sheet(parsed(StatsJson, answer)))


@tasks.command()
def add(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The type of the task.")],
    data: DataOption = None,
    priority: Annotated[int, typer.Option("--priority", help="Higher comes first; 0 is usual.")] = 0,
    delay: Annotated[float, typer.Option("--delay", metavar="SECONDS", help="Not before.")] = 0.0,
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Its group.")] = None,
    max_attempts: Annotated[
        int | None, typer.Option("--max-attempts", help="AttemptsJson that it gets.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="One attempt may take so long.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", help="AddedJson only once under this key, however often it is sent."
        ),
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a task, and print its id once it is on record."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    given = {"group": group, "max_attempts": max_attempts, "timeout_seconds": timeout, "idempotency_key": key}
    body: dict[str, object] = {
        "type": kind,
        "data": json.loads(data or "{}"),
        "priority": priority,
        "delay_seconds": delay,
        **{name: value for name, value in given.items() if value is not None},
    }
    answer = send(endpoint, "POST", PATH, body=body)
    added = parsed(AddedJson, answer)
    if as_json:
        show_json(answer)
    else:
        typer.echo(added.id)
        if not added.created:
            typer.echo("it was there already, under this key", err=True)


@tasks.command()
def cancel(
    task_ids: TaskIds,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel tasks; the handler of one that runs is ended."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _change(endpoint, task_ids, "cancel", None, as_json=as_json)


@tasks.command()
def retry(
    task_ids: TaskIds,
    data: DataOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give finished tasks a new set of attempts, with other data if it is given."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    body = {} if data is None else {"data": json.loads(data)}
    _change(endpoint, task_ids, "retry", body, as_json=as_json)


@tasks.command()
def promote(
    task_ids: TaskIds,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let delayed tasks run now."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _change(endpoint, task_ids, "promote", None, as_json=as_json)


@tasks.command()
def pause(
    kind: TypeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let no more tasks begin; what runs goes on."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _hold(endpoint, "pause", kind, as_json=as_json)


@tasks.command()
def resume(
    kind: TypeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back a pause with the same type, or of all types."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    _hold(endpoint, "resume", kind, as_json=as_json)


@tasks.command()
def explain(
    task_id: TaskId,
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say every reason why a task does not run now."""
    endpoint = find_endpoint(configuration(config, overrides, data_dir), url)
    answer = send(endpoint, "GET", f"{PATH}/{task_id}/explain")
    if as_json:
        show_json(answer)
    else:
        show(explained(parsed(ExplanationJson, answer)))


def _change(endpoint: Endpoint, task_ids: list[UUID], step: str, body: object, *, as_json: bool) -> None:
    """Do it to each task in turn, and show those that it was done to, also when one is declined."""
    changed: list[TaskJson] = []
    raw: list[object] = []
    declined: RequestRejected | None = None
    for task_id in task_ids:
        try:
            answer = send(endpoint, "POST", f"{PATH}/{task_id}/{step}", body=body)
        except RequestRejected as error:
            declined = RequestRejected(f"task {task_id}: {error}")
            break
        changed.append(parsed(TaskJson, answer))
        raw.append(answer)
    if as_json:
        show_json(raw)
    elif changed:
        show(task_table(changed))
    if declined is not None:
        raise declined


def _hold(endpoint: Endpoint, step: str, kind: str | None, *, as_json: bool) -> None:
    answer = send(endpoint, "POST", f"{PATH}/{step}", query={} if kind is None else {"type": kind})
    if as_json:
        show_json(answer)
    else:
        typer.echo(f"{step}d: {kind or 'all types'}")
