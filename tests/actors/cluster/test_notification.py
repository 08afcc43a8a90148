from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from actors.cluster.notification import (
    RESYNC,
    LocalEvent,
    PendingNotifications,
    RemoteEvent,
    decode_notification,
)
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.queue.events import QueueChanged, RemoteQueueChanged, TaskAdded, TaskCancelled, TaskRetried

from ...builders import configuration_row

CHANGED = ConfigurationChanged(
    configuration=configuration_row(
        config_name="Nächte",
        check_interval_seconds=Decimal("0.125"),
        job_type_filter="",
        exclude_types=("Onsite", "Video"),
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        updated_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
    ),
    changed=("config_name", "exclude_types"),
)


def exchange(*events: LocalEvent) -> list[RemoteEvent]:
    pending = PendingNotifications()
    for event in events:
        pending.add(event)
    payloads = pending.take("here")
    assert not pending
    assert pending.take("here") == []
    assert all(len(payload.encode()) < 8000 for payload in payloads)
    return [change for payload in payloads for change in decode_notification(payload, receiver="there")]


def added(*types: str) -> TaskAdded:
    return TaskAdded(ids=(uuid4(),), types=frozenset(types))


def test_many_events_become_one_notification() -> None:
    """However many tasks were added, it lists only their types."""
    assert exchange(added("login"), added("navigation", "login"), added("login")) == [
        RemoteQueueChanged(types=frozenset({"login", "navigation"}))
    ]


def test_a_change_of_any_type_has_no_types() -> None:
    """Also when the list of types would be too long."""
    everything = [RemoteQueueChanged(types=None)]
    assert exchange(added("login"), QueueChanged()) == everything
    assert exchange(TaskRetried(ids=(uuid4(),))) == everything
    assert exchange(TaskRetried(ids=(uuid4(),), due_in=0.0)) == everything
    assert exchange(added(*(f"{n:03}{'x' * 97}" for n in range(200)))) == everything


def test_a_delayed_retry_is_not_sent() -> None:
    """The instance that makes it pending sends the notification."""
    assert exchange(TaskRetried(ids=(uuid4(),), due_in=5.0)) == []


def test_many_cancelled_tasks_take_several_notifications() -> None:
    """Each fits into PostgreSQL's limit."""
    ids = tuple(uuid4() for _ in range(1000))
    changes = exchange(TaskCancelled(ids=ids), added(*(f"{n:03}{'x' * 97}" for n in range(30))))
    assert all(isinstance(change, RemoteQueueChanged) for change in changes)
    assert [one for change in changes for one in getattr(change, "cancelled", ())] == list(ids)


def test_a_configuration_is_sent_completely() -> None:
    """In order, and only local changes: nothing circulates."""
    other = replace(CHANGED, configuration=replace(CHANGED.configuration, id=uuid4()), changed=("is_active",))
    assert exchange(CHANGED, other) == [replace(CHANGED, remote=True), replace(other, remote=True)]
    assert exchange(*(replace(one, remote=True) for one in (CHANGED, other))) == []
    assert exchange(ConfigurationRefreshRequested(remote=True)) == []


def test_a_refresh_request_is_sent() -> None:
    """Also instead of a configuration that does not fit into a notification."""
    refresh = [ConfigurationRefreshRequested(remote=True)]
    assert exchange(ConfigurationRefreshRequested()) == refresh
    large = replace(CHANGED.configuration, exclude_types=tuple(f"{n:03}{'ü' * 97}" for n in range(40)))
    assert exchange(replace(CHANGED, configuration=large)) == refresh


def test_tasks_and_configurations_are_sent_together() -> None:
    """One batch may contain both."""
    assert exchange(added("login"), CHANGED) == [
        RemoteQueueChanged(types=frozenset({"login"})),
        replace(CHANGED, remote=True),
    ]


def test_a_notification_of_an_older_version_is_decoded() -> None:
    """It has only tasks."""
    assert decode_notification('{"sender": "x", "types": ["a"], "cancelled": []}', receiver="here") == (
        RemoteQueueChanged(types=frozenset({"a"})),
    )


def test_an_instance_ignores_its_own_notifications() -> None:
    """PostgreSQL delivers them to their sender too."""
    pending = PendingNotifications()
    pending.add_all()
    payloads = pending.take("here")
    assert [decode_notification(payload, receiver="here") for payload in payloads] == [(), ()]
    assert [one for payload in payloads for one in decode_notification(payload, receiver="there")] == list(
        RESYNC
    )


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
def test_an_unreadable_notification_means_resync(payload: str) -> None:
    """Another version, or other software, may have sent it."""
    assert decode_notification(payload, receiver="here") == RESYNC
