"""Parses the bodies of ``/api/tasks``; the queue itself checks how the values combine."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from actors.queue.messages import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_MAXIMUM_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_KEY_LENGTH,
    MAX_LIMIT,
    MAX_NAME_LENGTH,
    MAX_TASKS,
    MAX_TIMEOUT_SECONDS,
    MAX_WINDOW_SECONDS,
    MIN_TIMEOUT_SECONDS,
    MIN_WINDOW_SECONDS,
    BackoffKind,
    ChildFailure,
    DedupMode,
    LimitScope,
    LimitTasks,
    NewTask,
    RetryRule,
)
from actors.queue.messages import Json as TaskJson
from actors.queue.priority import MAX_PRIORITY, MIN_PRIORITY

from ...errors import Problem
from ..body_reader import BodyReader
from ..query_params import invalid_value
from ..serializers import Json


def new_tasks(body: object, idempotency_key: str | None) -> tuple[NewTask, ...]:
    """Parse a body with one task (an object) or several (a list, or ``{"tasks": [...]}``).

    ``idempotency_key`` of the header applies to a single task; of several, each gets it with
    its index appended, so that the whole request can be repeated.

    Raises:
        Problem: a field is invalid or unknown, or there are too many tasks.
    """
    if idempotency_key is not None and not (
        1 <= len(idempotency_key) <= MAX_KEY_LENGTH and idempotency_key.isprintable()
    ):
        raise invalid_value(
            "Idempotency-Key", f"a text of 1 to {MAX_KEY_LENGTH} printable characters", idempotency_key
        )
    is_batch = is_list(body)
    if is_batch:
        batch = BodyReader({"tasks": body} if isinstance(body, list) else cast("Json", body))
        tasks = tuple(new_task(fields) for fields in batch.items("tasks"))
        batch.finish()
    else:
        tasks = (new_task(BodyReader.of(body, "")),)
    count = sum(map(_count, tasks))
    if not 1 <= count <= MAX_TASKS:
        sentence = f"A request must contain 1 to {MAX_TASKS} tasks, children included, not {count}."
        raise Problem(422, "invalid_value", sentence)
    if idempotency_key is None:
        return tasks
    keys = (
        [idempotency_key] if not is_batch else [f"{idempotency_key}#{number}" for number in range(len(tasks))]
    )
    return tuple(
        task if task.idempotency_key else replace(task, idempotency_key=key)
        for task, key in zip(tasks, keys, strict=True)
    )


def is_list(body: object) -> bool:
    """Whether the body lists tasks; the response then does, too."""
    return isinstance(body, list) or (isinstance(body, dict) and "tasks" in body)


def new_task(fields: BodyReader) -> NewTask:
    """Parse a task with its children."""
    task_type = fields.text("type", max_length=MAX_NAME_LENGTH)
    if task_type is None:
        raise invalid_value(fields.path_of("type"), "the name of a task type", None)
    defaults = NewTask(type=task_type)
    task = NewTask(
        type=task_type,
        data=_data(fields) or {},
        priority=fields.integer("priority", 0, minimum=MIN_PRIORITY, maximum=MAX_PRIORITY),
        delay_seconds=fields.number("delay_seconds", 0.0, minimum=0.0, maximum=MAX_DELAY_SECONDS),
        group=fields.text("group", max_length=MAX_NAME_LENGTH),
        max_attempts=fields.integer("max_attempts", defaults.max_attempts, minimum=1, maximum=MAX_ATTEMPTS),
        retry=retry_rule(fields.nested("retry")),
        timeout_seconds=fields.number(
            "timeout_seconds",
            defaults.timeout_seconds,
            minimum=MIN_TIMEOUT_SECONDS,
            maximum=MAX_TIMEOUT_SECONDS,
        ),
        idempotency_key=fields.text("idempotency_key", max_length=MAX_KEY_LENGTH),
        dedup=fields.choice("dedup", DedupMode.SIMPLE),
        dedup_seconds=fields.number("dedup_seconds", 0.0, minimum=0.0, maximum=MAX_DELAY_SECONDS),
        children=tuple(new_task(child) for child in fields.items("children")),
        on_child_failure=fields.choice("on_child_failure", ChildFailure.FAIL),
    )
    fields.finish()
    return task


def new_data(fields: BodyReader) -> dict[str, TaskJson] | None:
    """Parse the data of a retry; None keeps the task's data."""
    data = _data(fields)
    fields.finish()
    return data


def new_priority(fields: BodyReader) -> int:
    """Parse a new priority."""
    priority = fields.integer("priority", None, minimum=MIN_PRIORITY, maximum=MAX_PRIORITY)
    if priority is None:
        raise invalid_value(
            fields.path_of("priority"), f"a whole number from {MIN_PRIORITY} to {MAX_PRIORITY}", None
        )
    fields.finish()
    return priority


def task_limit(fields: BodyReader) -> LimitTasks:
    """Parse a limit; a missing or null value is unlimited."""
    scope = fields.choice("scope", LimitScope.TYPE)
    name = fields.text("name", max_length=MAX_NAME_LENGTH)
    if (name is None) is not (scope is LimitScope.ALL):
        expected = "omitted for the scope all" if name else f"the name of a {scope}"
        raise invalid_value(fields.path_of("name"), expected, name)
    limit = LimitTasks(
        scope=scope,
        name=name or "",
        # A limit of 0 is not accepted; pausing is the way to stop tasks.
        max_running=fields.integer("max_running", None, minimum=1, maximum=MAX_LIMIT),
        rate=fields.integer("rate", None, minimum=1, maximum=MAX_LIMIT),
        rate_seconds=fields.number(
            "rate_seconds", 1.0, minimum=MIN_WINDOW_SECONDS, maximum=MAX_WINDOW_SECONDS
        ),
    )
    fields.finish()
    return limit


def retry_rule(fields: BodyReader) -> RetryRule:
    """Parse the retry backoff of a task."""
    defaults = RetryRule()
    rule = RetryRule(
        kind=fields.choice("kind", BackoffKind.EXPONENTIAL),
        seconds=fields.number("seconds", defaults.seconds, minimum=0.0, maximum=MAX_BACKOFF_SECONDS),
        jitter=fields.number("jitter", defaults.jitter, minimum=0.0, maximum=1.0),
        maximum_seconds=fields.number(
            "maximum_seconds", defaults.maximum_seconds, minimum=0.0, maximum=MAX_BACKOFF_MAXIMUM_SECONDS
        ),
    )
    fields.finish()
    return rule


def _data(fields: BodyReader) -> dict[str, TaskJson] | None:
    return cast("dict[str, TaskJson] | None", fields.mapping("data"))


def _count(task: NewTask) -> int:
    return 1 + sum(map(_count, task.children))
