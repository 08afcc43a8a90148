from __future__ import annotations

from dataclasses import asdict, fields, replace
from decimal import Decimal
from uuid import uuid4

import pytest
import trio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.database.commit import commit
from actors.database.configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationChanges,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from actors.database.configurations.statements import CHANGEABLE_FIELDS
from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.errors import ConfigurationNameTaken, NoSuchConfiguration
from actors.database.events import ConfigurationChanged
from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.rows import ConfigurationRow
from actors.database.sql_plan import ReplyWithEvent
from actors.database.statements import plan_query
from runtime import Bus
from runtime.testing import next_event

from ..harness import DatabaseHarness, open_harness, settings

NAMED = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
SECONDS = st.integers(1, 1_000_000)
CHANGES = st.builds(
    ConfigurationChanges,
    config_name=st.none() | NAMED,
    check_interval_seconds=st.none()
    | st.decimals("0.001", 86_400, allow_nan=False, allow_infinity=False, places=3),
    results_report_interval_seconds=st.none() | SECONDS,
    rejected_report_interval_seconds=st.none() | SECONDS,
    quick_check_interval_seconds=st.none() | SECONDS,
    enable_quick_check=st.none() | st.booleans(),
    enable_results_reporting=st.none() | st.booleans(),
    enable_rejected_reporting=st.none() | st.booleans(),
    max_accept_per_run=st.none() | st.integers(0, 1000),
    job_type_filter=st.none() | NAMED | st.just(""),
    exclude_types=st.none() | st.lists(NAMED, max_size=5).map(tuple),
)


def test_changeable_fields_are_fields_of_the_row() -> None:
    """With the same names, so that ``changed`` can list them."""
    assert set(CHANGEABLE_FIELDS) < {field.name for field in fields(ConfigurationRow)}


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_a_change_affects_only_the_fields_that_it_names(database: str, changes: ConfigurationChanges) -> None:
    """It is read back, and the event lists the changed fields."""
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        migrate(connection, load_migrations())
        before = active(connection)
        (answer,) = commit(connection, [ChangeConfiguration(changes=changes)])
        given_values = {name: value for name, value in asdict(changes).items() if value is not None}
        expected = replace(before, **given_values)
        different = tuple(
            name for name in CHANGEABLE_FIELDS if getattr(expected, name) != getattr(before, name)
        )
        after = active(connection)
        assert after == replace(expected, updated_at=after.updated_at)
        assert after.updated_at >= before.updated_at
        if different:
            assert answer == ReplyWithEvent(
                reply=after, event=ConfigurationChanged(configuration=after, changed=different)
            )
        else:
            assert answer == after


def active(connection: Connection) -> ConfigurationRow:
    plan = plan_query(ConfigurationQuery())
    (statement,) = plan.statements
    row = plan.read(connection.execute(statement.sql, statement.parameters).fetchall())
    assert isinstance(row, ConfigurationRow)
    return row


async def test_a_change_is_published_after_its_commit(database: str) -> None:
    """With the whole configuration; a change without effect publishes nothing."""
    bus = Bus()
    with bus.subscribe(ConfigurationChanged) as events:
        async with open_harness(database, bus=bus) as harness:
            same = await harness.write(change(ConfigurationChanges(max_accept_per_run=5)))
            assert same.max_accept_per_run == 5
            await harness.write(
                change(ConfigurationChanges(check_interval_seconds=Decimal("2.5"), exclude_types=()))
            )
            with trio.fail_after(5):
                event = await next_event(events, ConfigurationChanged)
            assert event.changed == ("check_interval_seconds", "exclude_types")
            assert event.configuration == await harness.read(ConfigurationQuery())


async def test_concurrent_changes_of_different_fields_both_persist(database: str) -> None:
    """Also when two writers send them at the same time."""
    async with open_harness(database) as one, open_harness(database) as other:

        async def accept(harness: DatabaseHarness) -> None:
            for n in range(20):
                await harness.write(change(ConfigurationChanges(max_accept_per_run=n + 1)))

        async def check(harness: DatabaseHarness) -> None:
            for n in range(20):
                await harness.write(change(ConfigurationChanges(quick_check_interval_seconds=n + 1)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, one)
            nursery.start_soon(check, other)
        row = await one.read(ConfigurationQuery())
        assert (row.max_accept_per_run, row.quick_check_interval_seconds) == (20, 20)


async def test_a_configuration_is_created_once(database: str) -> None:
    """With the table's defaults for omitted values; a repeated message undoes nothing."""
    async with open_harness(database) as harness:
        night = CreateConfiguration(
            id=uuid4(), config_name="Night", values=ConfigurationChanges(max_accept_per_run=1)
        )
        created = await harness.write(night)
        assert (created.config_name, created.max_accept_per_run, created.is_active) == ("Night", 1, False)
        assert (created.check_interval_seconds, created.exclude_types) == (Decimal("0.5"), ())
        changed = await harness.write(change(ConfigurationChanges(max_accept_per_run=2), night))
        assert await harness.write(night) == changed
        with pytest.raises(ConfigurationNameTaken, match=r"^a configuration named 'Night' already exists$"):
            await harness.write(replace(night, id=uuid4()))
        assert [row.config_name for row in await harness.read(ConfigurationsQuery())] == ["default", "Night"]


async def test_a_name_that_is_taken_is_refused(database: str) -> None:
    """Nothing of that change is written; a configuration may keep its own name."""
    async with open_harness(database) as harness:
        night = CreateConfiguration(id=uuid4(), config_name="Night")
        before = await harness.write(night)
        with pytest.raises(ConfigurationNameTaken):
            await harness.write(
                change(ConfigurationChanges(config_name="default", max_accept_per_run=9), night)
            )
        assert await harness.read(ConfigurationQuery(config_id=night.id)) == before
        assert (
            await harness.write(change(ConfigurationChanges(config_name="Night"), night))
        ).config_name == "Night"


async def test_one_configuration_is_active(database: str) -> None:
    """The one that was activated last, by any instance."""
    bus = Bus()
    with bus.subscribe(ConfigurationChanged) as events:
        async with open_harness(database, bus=bus) as harness, open_harness(database) as other:
            ids = [uuid4() for _ in range(4)]
            for number, id in enumerate(ids):  # noqa: A001 - what it is
                await harness.write(CreateConfiguration(id=id, config_name=f"c{number}"))
            row = await harness.write(ActivateConfiguration(config_id=ids[0]))
            assert row.is_active
            with trio.fail_after(5):
                event = await next_event(events, ConfigurationChanged)
            assert event == ConfigurationChanged(configuration=row, changed=("is_active",))
            assert await harness.write(ActivateConfiguration(config_id=ids[0])) == row
            async with trio.open_nursery() as nursery:
                for id in ids * 3:  # noqa: A001 - what it is
                    nursery.start_soon(harness.write, ActivateConfiguration(config_id=id))
                    nursery.start_soon(other.write, ActivateConfiguration(config_id=id))
            rows = await harness.read(ConfigurationsQuery())
            assert [row.is_active for row in rows] == [True, False, False, False, False]


async def test_an_unknown_configuration_is_refused(database: str) -> None:
    """In one sentence, by the reader and the writer."""
    async with open_harness(database) as harness:
        unknown = uuid4()
        sentence = f"^configuration {unknown} does not exist$"
        with pytest.raises(NoSuchConfiguration, match=sentence):
            await harness.read(ConfigurationQuery(config_id=unknown))
        with pytest.raises(NoSuchConfiguration, match=sentence):
            await harness.write(ActivateConfiguration(config_id=unknown))
        with pytest.raises(NoSuchConfiguration, match=sentence):
            await harness.write(ChangeConfiguration(config_id=unknown, changes=ConfigurationChanges()))
        assert (await harness.read(ConfigurationQuery())).config_name == "default"
        await harness.sql("update bot_configurations set is_active = false")
        with pytest.raises(NoSuchConfiguration, match=r"^no configuration is active$"):
            await harness.write(change(ConfigurationChanges(max_accept_per_run=1)))


def change(values: ConfigurationChanges, of: CreateConfiguration | None = None) -> ChangeConfiguration:
    return ChangeConfiguration(config_id=None if of is None else of.id, changes=values)
