"""Tasks: JSON models of the API's responses, and their tables and details."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .output import plain, span

_STYLES = {
    "pending": "cyan",
    "delayed": "yellow",
    "running": "green",
    "completed": "dim",
    "failed": "bold red",
    "dead": "bold red",
    "cancelled": "dim",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskJson:
    """A task."""

    id: str
    type: str
    state: str
    priority: int
    group: str | None
    data: object
    result: object
    error: str | None
    progress: float
    attempts: int
    max_attempts: int
    stalls: int
    run_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parent_id: str | None
    idempotency_key: str | None
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPageJson:
    """A page of tasks."""

    tasks: tuple[TaskJson, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedJson:
    """Result of adding a task."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJson:
    """One attempt of a task."""

    owner: str
    outcome: str
    error: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsJson:
    """The attempts of a task."""

    attempts: tuple[AttemptJson, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLogLineJson:
    """A log line of a task."""

    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLogJson:
    """A page of log lines."""

    logs: tuple[TaskLogLineJson, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonJson:
    """A reason why a task is not running."""

    kind: str
    text: str
    until: datetime | None
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationJson:
    """All reasons why a task is not running."""

    task: TaskJson
    claimable: bool
    reasons: tuple[ReasonJson, ...]


def task_table(tasks: Iterable[TaskJson]) -> Table:
    """A table with one line per task."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    # Ids are copied from the table, so they are never cut.
    for column in ("ID", "TYPE", "STATE", "PRIORITY", "ATTEMPTS", "ADDED", "NOTE"):
        table.add_column(column, no_wrap=column != "NOTE", overflow="fold")
    for task in tasks:
        table.add_row(
            plain(task.id),
            Text(plain(task.type)),
            _state(task.state),
            str(task.priority),
            f"{task.attempts}/{task.max_attempts}",
            f"{ago(task.created_at)} ago",
            Text(_note(task)),
        )
    return table


def task_details(
    task: TaskJson, attempts: Iterable[AttemptJson], lines: Iterable[TaskLogLineJson]
) -> RenderableType:
    """All fields of a task, its attempts and its log."""
    table = Table.grid(padding=(0, 2))
    rows: Mapping[str, str | Text | None] = {
        "id": plain(task.id),
        "type": Text(plain(task.type)),
        "state": _state(task.state),
        "priority": str(task.priority),
        "group": _text(task.group),
        "attempts": f"{task.attempts} of {task.max_attempts}"
        + (f", {task.stalls} stalled" * bool(task.stalls)),
        "progress": f"{task.progress:g} %",
        "added": _format_time(task.created_at),
        "runs at": _format_time(task.run_at) if task.state == "delayed" else None,
        "started": _format_time(task.started_at),
        "finished": _format_time(task.finished_at),
        "owner": _text(task.owner),
        "parent": _text(task.parent_id),
        "key": _text(task.idempotency_key),
        "error": _text(task.error),
        "data": _json(task.data),
        "result": None if task.result is None else _json(task.result),
    }
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, value)
    for attempt in attempts:
        ended = (
            ""
            if attempt.ended_at is None
            else f" after {duration_between(attempt.started_at, attempt.ended_at)}"
        )
        why = "" if attempt.error is None else f": {plain(attempt.error)}"
        text = Text.assemble(
            f"{_format_time(attempt.started_at)} at {plain(attempt.owner)}, ",
            (plain(attempt.outcome), _STYLES.get(attempt.outcome, "")),
            f"{ended}{why}",
        )
        table.add_row("attempt", text)
    for line in lines:
        table.add_row("log", log_line(line))
    return table


def log_line(line: TaskLogLineJson) -> Text:
    """A log line as text."""
    return Text(f"{_format_time(line.created_at)} {plain(line.level)}: {plain(line.message)}")


def explanation_details(explanation: ExplanationJson) -> RenderableType:
    """State of a task and every reason why it is not running."""
    head = Text.assemble(
        f"{plain(explanation.task.type)} {plain(explanation.task.id)} is ", _state(explanation.task.state)
    )
    table = Table.grid(padding=(0, 2))
    for reason in explanation.reasons:
        text = plain(reason.text) + (f" ({', '.join(map(plain, reason.by))})" if reason.by else "")
        table.add_row(Text(plain(reason.kind), "yellow"), Text(text))
    if explanation.claimable and not explanation.reasons:
        table.add_row(Text("claimable", "green"), Text("ready; starts when a worker slot is free"))
    return Group(head, table)


def duration_between(begin: datetime, end: datetime) -> str:
    """Time between two moments."""
    seconds = max(0.0, (end - begin).total_seconds())
    return span(seconds) if seconds >= 10 else f"{seconds:.3g}s"


def _note(task: TaskJson) -> str:
    if task.state == "running":
        return f"{task.progress:g} % at {plain(task.owner or '?')}"
    if task.error is not None:
        return plain(task.error)
    if task.state == "delayed":
        return "waiting for its children" if task.run_at is None else f"until {_format_time(task.run_at)}"
    return ""


def _state(state: str) -> Text:
    return Text(plain(state), _STYLES.get(state, ""))


def _text(value: str | None) -> Text | None:
    return None if value is None else Text(plain(value))


def _json(value: object) -> Text:
    return Text(plain(json.dumps(value, ensure_ascii=False)))


def _format_time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime) -> str:
    """Time since a moment."""
    return duration_between(moment, datetime.now(UTC))
