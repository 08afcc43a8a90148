from __future__ import annotations

from dataclasses import fields
from uuid import uuid4

import pytest
import trio

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.rows import ConfigurationRow
from runtime.testing import next_event

from ...database_app import serving_database

ACTIVE = "/api/bot/configuration"
ALL = "/api/bot/configurations"


async def test_the_active_configuration_is_read(database):
    """With the fields and types of the Compatibility API; decimals are numbers."""
    async with serving_database(database) as application:
        answer = await application.http.get(ACTIVE)
    assert answer.status_code == 200
    found = answer.json()
    assert list(found) == [field.name for field in fields(ConfigurationRow)]
    assert (found["check_interval_seconds"], found["is_active"]) == (0.5, True)
    assert found["exclude_types"] == ["Face-to-Face", "Face to Face", "In-Person", "Onsite"]


async def test_any_subset_is_changed_and_published(database):
    """The response has all fields; the event follows the commit."""
    async with serving_database(database) as application:
        before = (await application.http.get(ACTIVE)).json()
        with application.bus.subscribe(ConfigurationChanged) as events:
            body = {"check_interval_seconds": 1.25, "exclude_types": None, "max_accept_per_run": 5}
            answer = await application.http.put(ACTIVE, json=body)
            with trio.fail_after(5):
                event = await next_event(events, ConfigurationChanged)
        assert answer.status_code == 200
        after = answer.json()
        assert after == {
            **before,
            "check_interval_seconds": 1.25,
            "exclude_types": [],
            "updated_at": after["updated_at"],
        }
        assert (await application.http.get(ACTIVE)).json() == after
        assert event.changed == ("check_interval_seconds", "exclude_types")
        assert event.configuration == await application.record.read(ConfigurationQuery())
        assert (await application.http.put(ACTIVE, json=after)).json()["max_accept_per_run"] == 5
        assert (await application.http.put(ACTIVE)).status_code == 200


async def test_concurrent_changes_of_different_fields_all_last(database):
    """No change overwrites another with what it has read."""
    values = {
        "max_accept_per_run": 7,
        "quick_check_interval_seconds": 8,
        "enable_quick_check": True,
        "job_type_filter": "",
        "check_interval_seconds": 9.5,
        "config_name": "Day",
    }
    async with serving_database(database) as application:
        statuses: list[int] = []

        async def put(name: str) -> None:
            statuses.append((await application.http.put(ACTIVE, json={name: values[name]})).status_code)

        async with trio.open_nursery() as nursery:
            for name in values:
                nursery.start_soon(put, name)
        assert statuses == [200] * len(values)
        after = (await application.http.get(ACTIVE)).json()
    assert {name: after[name] for name in values} == values


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        ("{", 400, "The body must be JSON: "),
        ("[]", 422, "The body must be a JSON object, not []."),
        (
            '{"max_accept_per_run": 3, "enable_quick_check": 1}',
            422,
            "enable_quick_check must be true or false",
        ),
        (
            '{"max_accept_per_run": 3, "check_interval_seconds": 1e999}',
            400,
            "The body must be JSON: a number in it is too large.",
        ),
        ('{"max_accept_per_run": 3, "enable_quickcheck": true}', 422, "Unknown field `enable_quickcheck`"),
        ('{"max_accept_per_run": 3, "job_type_filter": "\\ud800"}', 422, "job_type_filter must be empty or"),
    ],
)
async def test_one_error_changes_nothing(database, content, status, sentence):
    """Not even the valid fields."""
    async with serving_database(database) as application:
        before = (await application.http.get(ACTIVE)).json()
        answer = await application.http.put(ACTIVE, content=content)
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(sentence)
        assert (await application.http.get(ACTIVE)).json() == before


async def test_a_refresh_is_published(database):
    """After a change of the table itself."""
    async with serving_database(database) as application:
        with application.bus.subscribe(ConfigurationRefreshRequested) as events:
            answer = await application.http.post(f"{ACTIVE}/refresh")
            with trio.fail_after(5):
                await next_event(events, ConfigurationRefreshRequested)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "message": "Configuration refresh requested",
    }


async def test_configurations_are_created_listed_and_activated(database):
    """Names are unique; one configuration is active."""
    async with serving_database(database) as application:
        created = await application.http.post(ALL, json={"config_name": "Night", "max_accept_per_run": 1})
        assert created.status_code == 201
        night = created.json()
        assert (night["config_name"], night["max_accept_per_run"], night["is_active"]) == ("Night", 1, False)
        taken = await application.http.post(ALL, json={"config_name": "Night"})
        assert taken.status_code == 409
        assert taken.json()["detail"] == "a configuration named 'Night' already exists"
        unnamed = await application.http.post(ALL, json={"max_accept_per_run": 1})
        assert (unnamed.status_code, unnamed.json()["detail"]) == (
            422,
            "config_name is required.",
        )
        place = f"{ALL}/{night['id']}"
        changed = (await application.http.put(place, json={"quick_check_interval_seconds": 60})).json()
        assert (await application.http.get(place)).json() == changed
        renamed = await application.http.put(place, json={"config_name": "default"})
        assert renamed.status_code == 409
        activated = (await application.http.post(f"{place}/activate")).json()
        assert activated == {**changed, "is_active": True, "updated_at": activated["updated_at"]}
        assert (await application.http.get(ACTIVE)).json() == activated
        every = (await application.http.get(ALL)).json()
        assert [(one["config_name"], one["is_active"]) for one in every] == [
            ("Night", True),
            ("default", False),
        ]


async def test_an_unknown_configuration_is_404(database):
    """By every route."""
    place = f"{ALL}/{uuid4()}"
    async with serving_database(database) as application:
        answers = [
            await application.http.get(place),
            await application.http.put(place, json={"max_accept_per_run": 1}),
            await application.http.post(f"{place}/activate"),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert {answer.json()["code"] for answer in answers} == {"no_such_configuration"}
        assert (await application.http.get(f"{ALL}/x")).status_code == 404
