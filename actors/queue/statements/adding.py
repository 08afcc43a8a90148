"""What new tasks become in the statement that adds them. Pure.

Most tasks of a batch are alike but for their data: what they share is sent once, as a *kind*.
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
from ..messages import DedupMode, InvalidTask, Json, NewTask
from ..priority import HIGHEST, LOWEST

MOST_TASKS: Final = 10_000
"""In one request, children included."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,99}")
LONGEST: Final = 10 * 365 * 86_400.0
"""Seconds that anything may be put off."""
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(slots=True, kw_only=True)
class NewRow:
    """One task to be added, with the id that it will have."""

    id: UUID
    task: NewTask
    parent: UUID | None
    data: str
    """A debounced one that is not on record yet takes that of those that come after it."""


def to_json(value: Json) -> str:
    """Data or a result as the record keeps it.

    Raises:
        InvalidTask: it is not JSON, or has characters that no database text can hold.
    """
    if not value and value == {}:
        return "{}"
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTask(f"that is not JSON: {error}") from None
    bare = text.replace("\\\\", "")
    if "\\u0000" in bare:
        raise InvalidTask("a NUL character is in it, which the record cannot keep")
    if "\\ud" in bare:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidTask("half of a surrogate pair is in it, which is no character") from None
    return text


def rows_of(task: NewTask) -> list[NewRow]:
    """The task and all its children, parents first.

    Raises:
        InvalidTask: they are too many, a child has an idempotency key, or data is nothing the record keeps.
    """
    if not task.children:
        return [NewRow(id=new_ids(1)[0], task=_waiting(task), parent=None, data=to_json(task.data))]
    flat: list[tuple[NewTask, int | None]] = [(task, None)]
    for place, (parent, _) in enumerate(flat):  # grows while it is walked: breadth first
        flat.extend((child, place) for child in parent.children)
        if len(flat) > MOST_TASKS:
            raise InvalidTask(f"more than {MOST_TASKS} tasks in one request")
    if any(child.idempotency_key is not None or child.dedup_seconds for child, _ in flat[1:]):
        raise InvalidTask("a child has no idempotency key of its own: its parent's key covers it")
    ids = new_ids(len(flat))
    return [
        NewRow(
            id=own,
            task=task,
            parent=None if place is None else ids[place],
            data=to_json(task.data),
        )
        for own, (task, place) in zip(ids, flat, strict=True)
    ]


def expand(tasks: Sequence[NewTask]) -> list[list[NewRow]]:
    """The rows of each task in a request.

    Raises:
        InvalidTask: one of them; none is to be added then.
    """
    if len(tasks) > MOST_TASKS:
        raise InvalidTask(f"more than {MOST_TASKS} tasks in one request")
    if any(task.children for task in tasks):
        return [rows_of(task) for task in tasks]
    return [
        [NewRow(id=own, task=_waiting(task), parent=None, data=to_json(task.data))]
        for own, task in zip(new_ids(len(tasks)), tasks, strict=True)
    ]


def _waiting(task: NewTask) -> NewTask:
    """A debounced task waits for others that may replace it."""
    if task.dedup is not DedupMode.DEBOUNCE:
        return task
    return replace(task, delay_seconds=max(task.delay_seconds, task.dedup_seconds))


class TaskTemplates:
    """The kinds of task in one statement, each checked once."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}
        self._kinds: list[NewTask] = []
        self._latest: object = None
        self._place = 0

    def place(self, task: NewTask) -> int:
        """The number of the task's kind, from 1 as SQL counts.

        Raises:
            InvalidTask: a setting of the task is out of its range.
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
        # To compare is cheaper than to hash, and most tasks are like the one before.
        if key == self._latest:
            return self._place
        try:
            place = self._places.get(key)
        except TypeError:
            raise InvalidTask("a task's settings are plain values") from None
        if place is None:
            check(task)
            self._kinds.append(task)
            place = self._places[key] = len(self._kinds)
        self._latest, self._place = key, place
        return place

    @property
    def types(self) -> frozenset[str]:
        return frozenset({kind.type for kind in self._kinds})

    @property
    def soonest(self) -> float | None:
        """Seconds until the first that is delayed is due; None where none is."""
        return min((kind.delay_seconds for kind in self._kinds if kind.delay_seconds > 0), default=None)

    @property
    def urgent(self) -> bool:
        """Whether some may come before tasks that were added earlier."""
        return any(kind.priority > 0 for kind in self._kinds)

    def parameters(self) -> dict[str, object]:
        kinds = self._kinds
        return {
            "types": texts([kind.type for kind in kinds]),
            "priorities": numbers([kind.priority for kind in kinds]),
            "delays": numbers([kind.delay_seconds for kind in kinds]),
            "groups": texts([kind.group for kind in kinds]),
            "most": numbers([kind.max_attempts for kind in kinds]),
            "timeouts": numbers([kind.timeout_seconds for kind in kinds]),
            "retry_kinds": texts([kind.retry.kind.value for kind in kinds]),
            "retry_seconds": numbers([kind.retry.seconds for kind in kinds]),
            "retry_jitters": numbers([kind.retry.jitter for kind in kinds]),
            "retry_maxima": numbers([kind.retry.maximum_seconds for kind in kinds]),
            "policies": texts([kind.on_child_failure.value for kind in kinds]),
        }


def insertion(new_rows: Sequence[NewRow], kinds: TaskTemplates) -> dict[str, object]:
    """The parameters of the statement that adds these."""
    places = [kinds.place(row.task) for row in new_rows]
    return {
        "ids": uuids([row.id for row in new_rows]),
        "kinds": numbers(places),
        "data": texts([row.data for row in new_rows]),
        "parents": uuids([row.parent for row in new_rows]),
        "keys": texts([row.task.idempotency_key for row in new_rows]),
        "waits": "{" + ",".join("t" if row.task.children else "f" for row in new_rows) + "}",
        **kinds.parameters(),
    }


def check_type(name: str) -> None:
    """Refuse what cannot be the name of a type.

    Raises:
        InvalidTask: it is too long, or has other characters than such names have.
    """
    if not _NAME.fullmatch(name):
        raise InvalidTask(
            f"{name[:100]!r} is no type: at most 100 lower-case letters, digits, '_', '-' and '.'"
        )


def check_priority(priority: int) -> None:
    """Refuse what is no priority of ours.

    Raises:
        InvalidTask: it is out of range.
    """
    if not LOWEST <= priority <= HIGHEST:
        raise InvalidTask(f"priority {priority} is not from {LOWEST} to {HIGHEST}")


def check(task: NewTask) -> None:
    """Refuse a task like this where the queue cannot keep it; its data and key aside.

    Raises:
        InvalidTask: a setting is out of its range, or does not go with another.
    """
    check_type(task.type)
    retry = task.retry
    check_priority(task.priority)
    if not 1 <= task.max_attempts <= 1000:
        raise InvalidTask(f"max_attempts {task.max_attempts} is not from 1 to 1000")
    if task.children and task.delay_seconds:
        raise InvalidTask("a task begins when its children are done, so that it cannot have a delay")
    for name, seconds, least in (
        ("delay_seconds", task.delay_seconds, 0.0),
        ("timeout_seconds", task.timeout_seconds, 0.001),
        ("retry.seconds", retry.seconds, 0.0),
        ("retry.maximum_seconds", retry.maximum_seconds, 0.0),
    ):
        if not (math.isfinite(seconds) and least <= seconds <= LONGEST):
            raise InvalidTask(f"{name} {seconds:g} is not from {least:g} to {LONGEST:g}")
    if not 0 <= retry.jitter <= 1:
        raise InvalidTask(f"retry.jitter {retry.jitter:g} is not from 0 to 1")
    if task.group is not None and not 1 <= len(task.group) <= 255:
        raise InvalidTask(f"group {task.group[:60]!r} is not from 1 to 255 characters long")


def check_key(task: NewTask) -> None:
    """Refuse a task by its idempotency key.

    Raises:
        InvalidTask: the key is too long, the time for which it holds is out of range, or one of
            them does not go with the other or with the task's children.
    """
    if task.idempotency_key is not None and not 1 <= len(task.idempotency_key) <= 255:
        shown = repr(task.idempotency_key[:60])
        raise InvalidTask(f"idempotency_key {shown} is not from 1 to 255 characters long")
    if not (math.isfinite(task.dedup_seconds) and 0 <= task.dedup_seconds <= LONGEST):
        raise InvalidTask(f"dedup_seconds {task.dedup_seconds:g} is not from 0 to {LONGEST:g}")
    if task.dedup is DedupMode.SIMPLE:
        if task.dedup_seconds:
            raise InvalidTask(
                f"dedup_seconds {task.dedup_seconds:g} is for throttle and debounce; with simple it is 0"
            )
    elif task.idempotency_key is None:
        raise InvalidTask(f"dedup {task.dedup} needs an idempotency_key")
    elif not task.dedup_seconds:
        raise InvalidTask(f"dedup {task.dedup} needs dedup_seconds above 0")
    elif task.dedup is DedupMode.DEBOUNCE and task.children:
        raise InvalidTask("dedup debounce is not for a task with children, which begin at once")
