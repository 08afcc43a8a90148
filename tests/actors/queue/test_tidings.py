from __future__ import annotations

from uuid import uuid4

import pytest

from actors.queue.events import ChangedElsewhere, QueueChanged, TaskAdded, TaskCancelled, TaskRetried
from actors.queue.tidings import Untold, heard


def told(*events: TaskAdded | TaskRetried | TaskCancelled | QueueChanged) -> list[ChangedElsewhere]:
    untold = Untold()
    for event in events:
        untold.add(event)
    payloads = untold.take("here")
    assert not untold
    assert untold.take("here") == []
    assert all(len(payload.encode()) < 8000 for payload in payloads)
    return [change for payload in payloads if (change := heard(payload, listener="there")) is not None]


def added(*types: str) -> TaskAdded:
    return TaskAdded(ids=(uuid4(),), types=frozenset(types))


def test_much_is_told_as_one() -> None:
    """However many tasks were added, only their types are told."""
    assert told(added("login"), added("navigation", "login"), added("login")) == [
        ChangedElsewhere(types=frozenset({"login", "navigation"}))
    ]


def test_what_may_be_of_any_type_is_told_so() -> None:
    """Also where a list of the types would be too long."""
    everything = [ChangedElsewhere(types=None)]
    assert told(added("login"), QueueChanged()) == everything
    assert told(TaskRetried(ids=(uuid4(),))) == everything
    assert told(TaskRetried(ids=(uuid4(),), due_in=0.0)) == everything
    assert told(added(*(f"{n:03}{'x' * 97}" for n in range(200)))) == everything


def test_what_is_due_later_is_told_later() -> None:
    """By whoever makes it pending then."""
    assert told(TaskRetried(ids=(uuid4(),), due_in=5.0)) == []


def test_many_cancelled_tasks_take_several_notifications() -> None:
    """None of which is longer than PostgreSQL takes."""
    ids = tuple(uuid4() for _ in range(1000))
    changes = told(TaskCancelled(ids=ids), added(*(f"{n:03}{'x' * 97}" for n in range(30))))
    assert [one for change in changes for one in change.cancelled] == list(ids)


def test_nobody_hears_himself() -> None:
    untold = Untold()
    untold.add_all()
    (payload,) = untold.take("here")
    assert heard(payload, listener="here") is None
    assert heard(payload, listener="there") == ChangedElsewhere(types=None)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"sender": "x", "types": []}',
        '{"sender": "x", "types": [], "cancelled": ["no id"]}',
        "1e999",
    ],
)
def test_what_cannot_be_read_may_mean_anything(payload: str) -> None:
    """It is from another version, or from somebody who tries things out."""
    assert heard(payload, listener="here") == ChangedElsewhere(types=None)
