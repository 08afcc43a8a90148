"""`botvisor tasks`: lists, adds and changes tasks of the running instance."""

from __future__ import annotations

import json
from typing import Annotated, Final, cast
from uuid import UUID

import typer

from actors.queue.messages import TaskState

from ..client.instance import Endpoint, find_endpoint, parse, send
from ..errors import RequestRejected
from ..options import CommandContext, common_options
from ..render.output import show, show_json
from ..render.queue_render import StatsJson, stats_details
from ..render.task_render import (
    AddedJson,
    AttemptsJson,
    ExplanationJson,
    TaskJson,
    TaskLogJson,
    TaskPageJson,
    explanation_details,
    log_line,
    task_details,
    task_table,
)

PATH: Final = "/api/tasks"
PAGE_SIZE: Final = 1000
"""Most tasks or log lines in one response."""

tasks = typer.Typer(name="tasks", help="List, add and change tasks of the running instance.")

TaskId = Annotated[UUID, typer.Argument(metavar="ID", help="The task's id.")]
TaskIds = Annotated[list[UUID], typer.Argument(metavar="ID...", help="The tasks' ids.")]
TypeOption = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only tasks of this type.")]


def _check_json_object(text: str | None) -> str | None:
    if text is not None:
        try:
            if not isinstance(json.loads(text), dict):
                raise ValueError
        except ValueError:
            raise typer.BadParameter('expected a JSON object such as {"path": "/jobs"}') from None
    return text


DataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="JSON", callback=_check_json_object, help="Data for the handler."),
]


@tasks.command("list")
@common_options(url=True)
def list_tasks(
    context: CommandContext,
    state: Annotated[TaskState | None, typer.Option("--state", help="Only tasks in this state.")] = None,
    task_type: TypeOption = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="Only tasks of this group.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of tasks.")] = 20,
) -> None:
    """List tasks, newest first."""
    endpoint = find_endpoint(context)
    filters = {"state": state and state.value, "type": task_type, "group": group}
    query = {name: value for name, value in filters.items() if value is not None}
    found: list[TaskJson] = []
    raw: list[object] = []
    while True:
        response = send(
            endpoint, "GET", PATH, query={**query, "limit": str(min(PAGE_SIZE, limit - len(found)))}
        )
        page = parse(TaskPageJson, response)
        found += page.tasks
        raw += cast("dict[str, list[object]]", response)["tasks"]
        if page.next_cursor is None or len(found) >= limit or not page.tasks:
            break
        query["cursor"] = page.next_cursor
    if context.as_json:
        show_json(raw[:limit])
    elif found:
        show(task_table(found[:limit]))
    else:
        typer.echo("no such tasks", err=True)


@tasks.command("show")
@common_options(url=True)
def show_task(
    context: CommandContext,
    task_id: TaskId,
) -> None:
    """Show a task, its attempts and the first page of its log."""
    endpoint = find_endpoint(context)
    task = send(endpoint, "GET", f"{PATH}/{task_id}")
    attempts = send(endpoint, "GET", f"{PATH}/{task_id}/attempts")
    logs = send(endpoint, "GET", f"{PATH}/{task_id}/logs")
    attempts_json, log_json = parse(AttemptsJson, attempts), parse(TaskLogJson, logs)
    if context.as_json:
        parts = {"attempts": cast("dict[str, object]", attempts), "logs": cast("dict[str, object]", logs)}
        show_json({"task": task} | {name: response[name] for name, response in parts.items()})
    else:
        show(task_details(parse(TaskJson, task), attempts_json.attempts, log_json.logs))
    if log_json.next_cursor is not None:
        typer.echo(f"more log lines: botvisor tasks logs {task_id}", err=True)


@tasks.command()
@common_options(url=True)
def logs(
    context: CommandContext,
    task_id: TaskId,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Maximum number of lines; all by default.")
    ] = None,
) -> None:
    """Print the log of a task, oldest first."""
    endpoint = find_endpoint(context)
    remaining, query = limit, dict[str, str]()
    raw: list[object] = []
    while True:
        query["limit"] = str(PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining))
        response = send(endpoint, "GET", f"{PATH}/{task_id}/logs", query=query)
        page = parse(TaskLogJson, response)
        if context.as_json:
            raw += cast("dict[str, list[object]]", response)["logs"]
        else:
            for line in page.logs:
                show(log_line(line))
        remaining = None if remaining is None else remaining - len(page.logs)
        if page.next_cursor is None or not page.logs or (remaining is not None and remaining <= 0):
            break
        query["cursor"] = page.next_cursor
    if context.as_json:
        show_json(raw)


@tasks.command()
@common_options(url=True)
def stats(context: CommandContext) -> None:
    """Print task counts by type and state, pauses, limits and workers."""
    endpoint = find_endpoint(context)
    response = send(endpoint, "GET", f"{PATH}/stats")
    if context.as_json:
        show_json(response)
    else:
        show(stats_details(parse(StatsJson, response)))


@tasks.command()
@common_options(url=True)
def add(
    context: CommandContext,
    task_type: Annotated[str, typer.Argument(metavar="TYPE", help="The type of the task.")],
    data: DataOption = None,
    priority: Annotated[int, typer.Option("--priority", help="Higher runs first; default 0.")] = 0,
    delay: Annotated[float, typer.Option("--delay", metavar="SECONDS", help="Run after this delay.")] = 0.0,
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Group of the task.")] = None,
    max_attempts: Annotated[
        int | None, typer.Option("--max-attempts", help="Maximum number of attempts.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Timeout of one attempt.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Idempotency key; a repeat adds nothing."),
    ] = None,
) -> None:
    """Add a task, and print its id once it is saved."""
    endpoint = find_endpoint(context)
    values = {
        "group": group,
        "max_attempts": max_attempts,
        "timeout_seconds": timeout,
        "idempotency_key": key,
    }
    body: dict[str, object] = {
        "type": task_type,
        "data": json.loads(data or "{}"),
        "priority": priority,
        "delay_seconds": delay,
        **{name: value for name, value in values.items() if value is not None},
    }
    response = send(endpoint, "POST", PATH, body=body)
    added = parse(AddedJson, response)
    if context.as_json:
        show_json(response)
    else:
        typer.echo(added.id)
        if not added.created:
            typer.echo("a task with this idempotency key already exists", err=True)


@tasks.command()
@common_options(url=True)
def cancel(
    context: CommandContext,
    task_ids: TaskIds,
) -> None:
    """Cancel tasks, waiting or running."""
    endpoint = find_endpoint(context)
    _change(endpoint, task_ids, "cancel", None, as_json=context.as_json)


@tasks.command()
@common_options(url=True)
def retry(
    context: CommandContext,
    task_ids: TaskIds,
    data: DataOption = None,
) -> None:
    """Retry finished tasks, with other data if given."""
    endpoint = find_endpoint(context)
    body = {} if data is None else {"data": json.loads(data)}
    _change(endpoint, task_ids, "retry", body, as_json=context.as_json)


@tasks.command()
@common_options(url=True)
def promote(
    context: CommandContext,
    task_ids: TaskIds,
) -> None:
    """Make delayed tasks pending now."""
    endpoint = find_endpoint(context)
    _change(endpoint, task_ids, "promote", None, as_json=context.as_json)


@tasks.command()
@common_options(url=True)
def pause(
    context: CommandContext,
    task_type: TypeOption = None,
) -> None:
    """Pause one task type or all; running tasks continue."""
    endpoint = find_endpoint(context)
    _set_paused(endpoint, "pause", task_type, as_json=context.as_json)


@tasks.command()
@common_options(url=True)
def resume(
    context: CommandContext,
    task_type: TypeOption = None,
) -> None:
    """Resume one task type or all."""
    endpoint = find_endpoint(context)
    _set_paused(endpoint, "resume", task_type, as_json=context.as_json)


@tasks.command()
@common_options(url=True)
def explain(
    context: CommandContext,
    task_id: TaskId,
) -> None:
    """Print every reason why a task is not running."""
    endpoint = find_endpoint(context)
    response = send(endpoint, "GET", f"{PATH}/{task_id}/explain")
    if context.as_json:
        show_json(response)
    else:
        show(explanation_details(parse(ExplanationJson, response)))


def _change(endpoint: Endpoint, task_ids: list[UUID], action: str, body: object, *, as_json: bool) -> None:
    """Change each task in turn; if one is rejected, print those changed before it and stop."""
    changed: list[TaskJson] = []
    raw: list[object] = []
    rejected: RequestRejected | None = None
    for task_id in task_ids:
        try:
            response = send(endpoint, "POST", f"{PATH}/{task_id}/{action}", body=body)
        except RequestRejected as error:
            rejected = RequestRejected(f"task {task_id}: {error}")
            break
        changed.append(parse(TaskJson, response))
        raw.append(response)
    if as_json:
        show_json(raw)
    elif changed:
        show(task_table(changed))
    if rejected is not None:
        raise rejected


def _set_paused(endpoint: Endpoint, action: str, task_type: str | None, *, as_json: bool) -> None:
    response = send(
        endpoint, "POST", f"{PATH}/{action}", query={} if task_type is None else {"type": task_type}
    )
    if as_json:
        show_json(response)
    else:
        typer.echo(f"{action}d: {task_type or 'all types'}")
