"""What a running instance says of its tasks, parsed, and as tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..errors import UnexpectedResponse
from .output import plain, span

T = TypeVar("T")

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
    """A task on record."""

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
    tasks: tuple[TaskJson, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedJson:
    id: str
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJson:
    owner: str
    outcome: str
    error: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsJson:
    attempts: tuple[AttemptJson, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLogLine:
    level: str
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLogs:
    logs: tuple[TaskLogLine, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonJson:
    kind: str
    text: str
    until: datetime | None
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationJson:
    task: TaskJson
    claimable: bool
    reasons: tuple[ReasonJson, ...]


def parsed(shape: type[T], answer: object) -> T:
    """The answer in its shape.

    Raises:
        OddAnswer: it has another one.
    """
    try:
        return TypeAdapter(shape).validate_python(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnexpectedResponse(
            f"the instance did not answer as botvisor would: {where}: {first['msg']}"
        ) from None


def task_table(tasks: Iterable[TaskJson]) -> Table:
    """Some tasks, a line each."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    # An id is there to be copied: it is never cut.
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


def task_sheet(
    task: TaskJson, attempts: Iterable[AttemptJson], lines: Iterable[TaskLogLine]
) -> RenderableType:
    """All of one task."""
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
        "added": _when(task.created_at),
        "runs at": _when(task.run_at) if task.state == "delayed" else None,
        "started": _when(task.started_at),
        "finished": _when(task.finished_at),
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
        ended = "" if attempt.ended_at is None else f" after {span_of(attempt.started_at, attempt.ended_at)}"
        why = "" if attempt.error is None else f": {plain(attempt.error)}"
        text = Text.assemble(
            f"{_when(attempt.started_at)} at {plain(attempt.owner)}, ",
            (plain(attempt.outcome), _STYLES.get(attempt.outcome, "")),
            f"{ended}{why}",
        )
        table.add_row("attempt", text)
    for line in lines:
        table.add_row("log", log_line(line))
    return table


def log_line(line: TaskLogLine) -> Text:
    """What a handler wrote, for reading."""
    return Text(f"{_when(line.created_at)} {plain(line.level)}: {plain(line.message)}")


def explained(told: ExplanationJson) -> RenderableType:
    """Why a task does not run now."""
    head = Text.assemble(f"{plain(told.task.type)} {plain(told.task.id)} is ", _state(told.task.state))
    table = Table.grid(padding=(0, 2))
    for reason in told.reasons:
        text = plain(reason.text) + (f" ({', '.join(map(plain, reason.by))})" if reason.by else "")
        table.add_row(Text(plain(reason.kind), "yellow"), Text(text))
    if told.claimable and not told.reasons:
        table.add_row(
            Text("claimable", "green"), Text("nothing holds it back: it begins in the next free slot")
        )
    return Group(head, table)


def span_of(begin: datetime, end: datetime) -> str:
    """The time between two moments."""
    seconds = max(0.0, (end - begin).total_seconds())
    return span(seconds) if seconds >= 10 else f"{seconds:.3g}s"


def _note(task: TaskJson) -> str:
    if task.state == "running":
        return f"{task.progress:g} % at {plain(task.owner or '?')}"
    if task.error is not None:
        return plain(task.error)
    if task.state == "delayed":
        return "waits for its children" if task.run_at is None else f"until {_when(task.run_at)}"
    return ""


def _state(state: str) -> Text:
    return Text(plain(state), _STYLES.get(state, ""))


def _text(value: str | None) -> Text | None:
    return None if value is None else Text(plain(value))


def _json(value: object) -> Text:
    return Text(plain(json.dumps(value, ensure_ascii=False)))


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime) -> str:
    """How long it is since a moment."""
    return span_of(moment, datetime.now(UTC))
