"""Validates new tasks and turns them into the parameters of the insert. Pure.

Most tasks of a batch differ only in their data: the options that they share are
sent once, as a *template*.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from ...database.arrays import numbers, texts, uuids
from ..ids import new_ids
from ..messages import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_MAXIMUM_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_KEY_LENGTH,
    MAX_NAME_LENGTH,
    MAX_TASKS,
    MAX_TIMEOUT_SECONDS,
    MIN_TIMEOUT_SECONDS,
    DedupMode,
    InvalidTask,
    Json,
    NewTask,
)
from ..priority import MAX_PRIORITY, MIN_PRIORITY

_TYPE: Final = re.compile(rf"[a-z][a-z0-9_.-]{{0,{MAX_NAME_LENGTH - 1}}}")
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(slots=True, kw_only=True)
class NewRow:
    """A task to be inserted, with its id."""

    id: UUID
    task: NewTask
    parent: UUID | None
    data: str
    """JSON; a debounced task that is not inserted yet takes the data of the ones that replace it."""


def to_json(value: Json) -> str:
    """Encode data or a result for a ``jsonb`` column.

    Raises:
        InvalidTask: it is not JSON, or has a NUL character or an unpaired surrogate.
    """
    if not value and value == {}:
        return "{}"
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTask(f"the value is not JSON: {error}") from None
    bare = text.replace("\\\\", "")
    if "\\u0000" in bare:
        raise InvalidTask("the value has a NUL character, which PostgreSQL cannot store")
    if "\\ud" in bare:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidTask("the value has an unpaired surrogate, which is not a character") from None
    return text


def rows_of(task: NewTask) -> list[NewRow]:
    """The rows of a task and all its children, parents first.

    Raises:
        InvalidTask: too many tasks, a child with an idempotency key, or data that cannot be stored.
    """
    if not task.children:
        return [NewRow(id=new_ids(1)[0], task=_debounced(task), parent=None, data=to_json(task.data))]
    flat: list[tuple[NewTask, int | None]] = [(task, None)]
    for index, (parent, _) in enumerate(flat):  # extended while iterated: breadth first
        flat.extend((child, index) for child in parent.children)
        if len(flat) > MAX_TASKS:
            raise InvalidTask(f"more than {MAX_TASKS} tasks in one request")
    if any(child.idempotency_key is not None or child.dedup_seconds for child, _ in flat[1:]):
        raise InvalidTask("a child cannot have an idempotency key: its parent's key covers it")
    ids = new_ids(len(flat))
    return [
        NewRow(
            id=task_id,
            task=task,
            parent=None if index is None else ids[index],
            data=to_json(task.data),
        )
        for task_id, (task, index) in zip(ids, flat, strict=True)
    ]


def expand(tasks: Sequence[NewTask]) -> list[list[NewRow]]:
    """The rows of each task of a request.

    Raises:
        InvalidTask: one of them is invalid; none may be added then.
    """
    if len(tasks) > MAX_TASKS:
        raise InvalidTask(f"more than {MAX_TASKS} tasks in one request")
    if any(task.children for task in tasks):
        return [rows_of(task) for task in tasks]
    return [
        [NewRow(id=task_id, task=_debounced(task), parent=None, data=to_json(task.data))]
        for task_id, task in zip(new_ids(len(tasks)), tasks, strict=True)
    ]


def _debounced(task: NewTask) -> NewTask:
    """Delay a debounced task by its window; other tasks are unchanged."""
    if task.dedup is not DedupMode.DEBOUNCE:
        return task
    return replace(task, delay_seconds=max(task.delay_seconds, task.dedup_seconds))


class TaskTemplates:
    """The templates of task in one statement, each checked once."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._templates: list[NewTask] = []
        self._latest_key: object = None
        self._latest_number = 0

    def number(self, task: NewTask) -> int:
        """The number of the task's template, from 1 as SQL arrays count.

        Raises:
            InvalidTask: an option of the task is out of range.
        """
        key = (
            task.type,
            task.priority,
            task.delay_seconds,
            task.group,
            task.max_attempts,
            task.retry,
            task.timeout_seconds,
            task.on_child_failure,
            not task.children,
        )
        # Comparing is cheaper than hashing, and most tasks equal the one before.
        if key == self._latest_key:
            return self._latest_number
        try:
            number = self._numbers.get(key)
        except TypeError:
            raise InvalidTask("an option of the task has the wrong type") from None
        if number is None:
            check(task)
            self._templates.append(task)
            number = self._numbers[key] = len(self._templates)
        self._latest_key, self._latest_number = key, number
        return number

    @property
    def types(self) -> frozenset[str]:
        """The types of the tasks."""
        return frozenset({template.type for template in self._templates})

    @property
    def due_in(self) -> float | None:
        """Seconds until the first delayed task is due; None without one."""
        return min(
            (template.delay_seconds for template in self._templates if template.delay_seconds > 0),
            default=None,
        )

    @property
    def has_priority(self) -> bool:
        """Whether some may come before tasks that were added earlier."""
        return any(template.priority > 0 for template in self._templates)

    def parameters(self) -> dict[str, object]:
        """The parameters of `inserting.TEMPLATE_VALUES`."""
        templates = self._templates
        return {
            "types": texts([template.type for template in templates]),
            "priorities": numbers([template.priority for template in templates]),
            "delays": numbers([template.delay_seconds for template in templates]),
            "groups": texts([template.group for template in templates]),
            "max_attempts": numbers([template.max_attempts for template in templates]),
            "timeouts": numbers([template.timeout_seconds for template in templates]),
            "retry_kinds": texts([template.retry.kind.value for template in templates]),
            "retry_seconds": numbers([template.retry.seconds for template in templates]),
            "retry_jitters": numbers([template.retry.jitter for template in templates]),
            "retry_maxima": numbers([template.retry.maximum_seconds for template in templates]),
            "child_failures": texts([template.on_child_failure.value for template in templates]),
        }


def insert_parameters(new_rows: Sequence[NewRow], templates: TaskTemplates) -> dict[str, object]:
    """The parameters of the statement that inserts these rows."""
    return {
        "ids": uuids([row.id for row in new_rows]),
        "templates": numbers([templates.number(row.task) for row in new_rows]),
        "data": texts([row.data for row in new_rows]),
        "parents": uuids([row.parent for row in new_rows]),
        "keys": texts([row.task.idempotency_key for row in new_rows]),
        "waits": "{" + ",".join("t" if row.task.children else "f" for row in new_rows) + "}",
        **templates.parameters(),
    }


def check_type(name: str) -> None:
    """Check the name of a task type.

    Raises:
        InvalidTask: it is too long or has invalid characters.
    """
    if not _TYPE.fullmatch(name):
        raise InvalidTask(
            f"{name[:100]!r} is not a task type: use at most {MAX_NAME_LENGTH} lower-case letters, digits,"
            " '_', '-' and '.', a letter first"
        )


def check_priority(priority: int) -> None:
    """Check a priority.

    Raises:
        InvalidTask: it is out of range.
    """
    if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidTask(f"priority {priority} is not from {MIN_PRIORITY} to {MAX_PRIORITY}")


def check(task: NewTask) -> None:
    """Check the options of a task, except its data and its idempotency key.

    Raises:
        InvalidTask: an option is out of range or excludes another one.
    """
    check_type(task.type)
    retry = task.retry
    check_priority(task.priority)
    if not 1 <= task.max_attempts <= MAX_ATTEMPTS:
        raise InvalidTask(f"max_attempts {task.max_attempts} is not from 1 to {MAX_ATTEMPTS}")
    if task.children and task.delay_seconds:
        raise InvalidTask("a task with children cannot have a delay_seconds: it starts when they finish")
    for name, seconds, minimum, maximum in (
        ("delay_seconds", task.delay_seconds, 0.0, MAX_DELAY_SECONDS),
        ("timeout_seconds", task.timeout_seconds, MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
        ("retry.seconds", retry.seconds, 0.0, MAX_BACKOFF_SECONDS),
        ("retry.maximum_seconds", retry.maximum_seconds, 0.0, MAX_BACKOFF_MAXIMUM_SECONDS),
    ):
        if not (math.isfinite(seconds) and minimum <= seconds <= maximum):
            raise InvalidTask(f"{name} {seconds:g} is not from {minimum:g} to {maximum:.0f}")
    if not 0 <= retry.jitter <= 1:
        raise InvalidTask(f"retry.jitter {retry.jitter:g} is not from 0 to 1")
    if task.group is not None and not 1 <= len(task.group) <= MAX_NAME_LENGTH:
        raise InvalidTask(f"group {task.group[:60]!r} is not from 1 to {MAX_NAME_LENGTH} characters long")


def check_key(task: NewTask) -> None:
    """Check the idempotency key and the deduplication of a task.

    Raises:
        InvalidTask: the key is too long, ``dedup_seconds`` is out of range, or one of
            them excludes the other or the task's children.
    """
    if task.idempotency_key is not None and not 1 <= len(task.idempotency_key) <= MAX_KEY_LENGTH:
        shown = repr(task.idempotency_key[:60])
        raise InvalidTask(f"idempotency_key {shown} is not from 1 to {MAX_KEY_LENGTH} characters long")
    if not (math.isfinite(task.dedup_seconds) and 0 <= task.dedup_seconds <= MAX_DELAY_SECONDS):
        raise InvalidTask(f"dedup_seconds {task.dedup_seconds:g} is not from 0 to {MAX_DELAY_SECONDS:.0f}")
    if task.dedup is DedupMode.SIMPLE:
        if task.dedup_seconds:
            raise InvalidTask(f"dedup_seconds {task.dedup_seconds:g} is only for dedup throttle and debounce")
    elif task.idempotency_key is None:
        raise InvalidTask(f"dedup {task.dedup} needs an idempotency_key")
    elif not task.dedup_seconds:
        raise InvalidTask(f"dedup {task.dedup} needs dedup_seconds above 0")
    elif task.dedup is DedupMode.DEBOUNCE and task.children:
        raise InvalidTask("dedup debounce is not possible for a task with children: they start at once")
