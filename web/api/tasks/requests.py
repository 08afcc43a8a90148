"""Tasks that a request brings, parsed; how far the values fit together is the queue's to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from actors.queue.messages import (
    BackoffKind,
    ChildFailure,
    DedupMode,
    LimitScope,
    LimitTasks,
    NewTask,
    RetryRule,
)
from actors.queue.messages import Json as TaskJson
from actors.queue.priority import HIGHEST, LOWEST

from ...errors import Problem
from ..body_reader import BodyReader
from ..query_params import unfit
from ..serializers import Json

MOST_TASKS: Final = 1000
"""In one request, with their children."""
LONGEST_KEY: Final = 255
LONGEST_NAME: Final = 100
DAY: Final = 86_400.0


def new_tasks(body: object, idempotency_key: str | None) -> tuple[NewTask, ...]:
    """The task or the tasks of a body: an object, a list of objects, or ``{"tasks": [...]}``.

    A key of the header is that of the one task; of several, each gets it with
    its number, so that the whole request may be sent again.
    """
    if idempotency_key is not None and not (
        1 <= len(idempotency_key) <= LONGEST_KEY and idempotency_key.isprintable()
    ):
        raise unfit("Idempotency-Key", f"a text of 1 to {LONGEST_KEY} printable characters", idempotency_key)
    several = is_several(body)
    if several:
        listed = BodyReader({"tasks": body} if isinstance(body, list) else cast("Json", body))
        tasks = tuple(new_task(fields) for fields in listed.each("tasks"))
        listed.end()
    else:
        tasks = (new_task(BodyReader.of(body, "")),)
    count = sum(map(_size, tasks))
    if not 1 <= count <= MOST_TASKS:
        sentence = f"A request must bring 1 to {MOST_TASKS} tasks, children included, not {count}."
        raise Problem(422, "invalid_value", sentence)
    if idempotency_key is None:
        return tasks
    keys = (
        [idempotency_key] if not several else [f"{idempotency_key}#{number}" for number in range(len(tasks))]
    )
    return tuple(
        task if task.idempotency_key else replace(task, idempotency_key=key)
        for task, key in zip(tasks, keys, strict=True)
    )


def is_several(body: object) -> bool:
    """Whether the answer is a list, as the body was."""
    return isinstance(body, list) or (isinstance(body, dict) and "tasks" in body)


def new_task(fields: BodyReader) -> NewTask:
    """One task with its children."""
    kind = fields.text("type", most=LONGEST_NAME)
    if kind is None:
        raise unfit(fields.name("type"), "the name of a task type", None)
    usual = NewTask(type=kind)
    task = NewTask(
        type=kind,
        data=_data(fields) or {},
        priority=fields.whole("priority", 0, least=LOWEST, most=HIGHEST),
        delay_seconds=fields.number("delay_seconds", 0.0, least=0.0, most=366 * DAY),
        group=fields.text("group", most=LONGEST_NAME),
        max_attempts=fields.whole("max_attempts", usual.max_attempts, least=1, most=1000),
        retry=retry_rule(fields.inner("retry")),
        timeout_seconds=fields.number("timeout_seconds", usual.timeout_seconds, least=0.001, most=DAY),
        idempotency_key=fields.text("idempotency_key", most=LONGEST_KEY),
        dedup=fields.word("dedup", DedupMode.SIMPLE),
        dedup_seconds=fields.number("dedup_seconds", 0.0, least=0.0, most=366 * DAY),
        children=tuple(new_task(child) for child in fields.each("children")),
        on_child_failure=fields.word("on_child_failure", ChildFailure.FAIL),
    )
    fields.end()
    return task


def new_data(fields: BodyReader) -> dict[str, TaskJson] | None:
    """What the handler is to get at the new attempts; None leaves it as it is."""
    data = _data(fields)
    fields.end()
    return data


def new_priority(fields: BodyReader) -> int:
    """The priority that a task is to have."""
    priority = fields.whole("priority", None, least=LOWEST, most=HIGHEST)
    if priority is None:
        raise unfit(fields.name("priority"), f"a whole number from {LOWEST} to {HIGHEST}", None)
    fields.end()
    return priority


def task_limit(fields: BodyReader) -> LimitTasks:
    """A limit; what is left out or null is unlimited."""
    scope = fields.word("scope", LimitScope.TYPE)
    name = fields.text("name", most=LONGEST_NAME)
    if (name is None) is not (scope is LimitScope.ALL):
        expected = "left out for the scope all" if name else f"the name of a {scope}"
        raise unfit(fields.name("name"), expected, name)
    limit = LimitTasks(
        scope=scope,
        name=name or "",
        # 0 cannot be asked for: to let nothing begin is to pause.
        max_running=fields.whole("max_running", None, least=1, most=1_000_000),
        rate=fields.whole("rate", None, least=1, most=1_000_000),
        rate_seconds=fields.number("rate_seconds", 1.0, least=0.001, most=DAY),
    )
    fields.end()
    return limit


def retry_rule(fields: BodyReader) -> RetryRule:
    """How long the task waits after a failure."""
    usual = RetryRule()
    rule = RetryRule(
        kind=fields.word("kind", BackoffKind.EXPONENTIAL),
        seconds=fields.number("seconds", usual.seconds, least=0.0, most=DAY),
        jitter=fields.number("jitter", usual.jitter, least=0.0, most=1.0),
        maximum_seconds=fields.number("maximum_seconds", usual.maximum_seconds, least=0.0, most=7 * DAY),
    )
    fields.end()
    return rule


def _data(fields: BodyReader) -> dict[str, TaskJson] | None:
    return cast("dict[str, TaskJson] | None", fields.mapping("data"))


def _size(task: NewTask) -> int:
    return 1 + sum(map(_size, task.children))
