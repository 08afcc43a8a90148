from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from actors.cluster.notification import RESYNC, Happened, News, PendingNotifications, heard
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.rows import ConfigurationRow
from actors.queue.events import QueueChanged, RemoteQueueChanged, TaskAdded, TaskCancelled, TaskRetried

CHANGED = ConfigurationChanged(
    configuration=ConfigurationRow(
        id=uuid4(),
        config_name="Nächte",
        check_interval_seconds=Decimal("0.125"),
        results_report_interval_seconds=5,
        rejected_report_interval_seconds=43200,
        quick_check_interval_seconds=10,
        enable_quick_check=False,
        enable_results_reporting=True,
        enable_rejected_reporting=True,
        max_accept_per_run=5,
        job_type_filter="",
        exclude_types=("Onsite", "Video"),
        is_active=True,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        updated_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    ),
    changed=("config_name", "exclude_types"),
)


def told(*events: Happened) -> list[News]:
    untold = PendingNotifications()
    for event in events:
        untold.add(event)
    payloads = untold.take("here")
    assert not untold
    assert untold.take("here") == []
    assert all(len(payload.encode()) < 8000 for payload in payloads)
    return [change for payload in payloads for change in heard(payload, listener="there")]


def added(*types: str) -> TaskAdded:
    return TaskAdded(ids=(uuid4(),), types=frozenset(types))


def test_much_is_told_as_one() -> None:
    """However many tasks were added, only their types are told."""
    assert told(added("login"), added("navigation", "login"), added("login")) == [
        RemoteQueueChanged(types=frozenset({"login", "navigation"}))
    ]


def test_what_may_be_of_any_type_is_told_so() -> None:
    """Also where a list of the types would be too long."""
    everything = [RemoteQueueChanged(types=None)]
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
    assert all(isinstance(change, RemoteQueueChanged) for change in changes)
    assert [one for change in changes for one in getattr(change, "cancelled", ())] == list(ids)


def test_a_configuration_is_told_whole() -> None:
    """In order, and only of those that changed here: nothing goes round for ever."""
    other = replace(CHANGED, configuration=replace(CHANGED.configuration, id=uuid4()), changed=("is_active",))
    assert told(CHANGED, other) == [replace(CHANGED, elsewhere=True), replace(other, elsewhere=True)]
    assert told(*(replace(one, elsewhere=True) for one in (CHANGED, other))) == []
    assert told(ConfigurationRefreshRequested(elsewhere=True)) == []


def test_that_all_should_read_again_is_told() -> None:
    """Also instead of a configuration that fits into no notification."""
    refresh = [ConfigurationRefreshRequested(elsewhere=True)]
    assert told(ConfigurationRefreshRequested()) == refresh
    large = replace(CHANGED.configuration, exclude_types=tuple(f"{n:03}{'ü' * 97}" for n in range(40)))
    assert told(replace(CHANGED, configuration=large)) == refresh


def test_tasks_and_configurations_are_told_beside_each_other() -> None:
    """One batch may hold both."""
    assert told(added("login"), CHANGED) == [
        RemoteQueueChanged(types=frozenset({"login"})),
        replace(CHANGED, elsewhere=True),
    ]


def test_an_instance_of_before_is_understood() -> None:
    """It knows of tasks alone."""
    assert heard('{"sender": "x", "types": ["a"], "cancelled": []}', listener="here") == (
        RemoteQueueChanged(types=frozenset({"a"})),
    )


def test_nobody_hears_himself() -> None:
    """What an instance told comes back to it too, and says nothing new there."""
    untold = PendingNotifications()
    untold.add_all()
    payloads = untold.take("here")
    assert [heard(payload, listener="here") for payload in payloads] == [(), ()]
    assert [one for payload in payloads for one in heard(payload, listener="there")] == list(RESYNC)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"sender": "x", "types": []}',
        '{"sender": "x", "types": [], "cancelled": ["no id"]}',
        '{"sender": "x", "types": [], "cancelled": [], "configuration": {}}',
        "1e999",
    ],
)
def test_what_cannot_be_read_may_mean_anything(payload: str) -> None:
    """It is from another version, or from somebody who tries things out."""
    assert heard(payload, listener="here") == RESYNC
