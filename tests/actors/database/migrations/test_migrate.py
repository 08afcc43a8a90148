from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import errors

from actors.database.connections.connection import ConnectionFactory
from actors.database.errors import DatabaseTooNew, MigrationChanged
from actors.database.migrations.migrate import Applied, Migration, load_migrations, migrate, pending

from ..harness import rows, settings


def migration(version: int, sql: str = "select 1") -> Migration:
    return Migration(version=version, name=f"step_{version}", sql=sql)


def applied(known: Migration) -> Applied:
    return Applied(version=known.version, name=known.name, checksum=known.checksum)


def test_migrations_are_numbered_without_gaps() -> None:
    """From 1 on, as their file names say."""
    known = load_migrations()
    assert [one.version for one in known] == list(range(1, len(known) + 1))
    assert known[0].name == "contract"


@pytest.mark.parametrize("name", ["0003_gap.sql", "2_short.sql", "0002-dash.sql"])
def test_a_misnamed_file_is_an_error(tmp_path: Path, name: str) -> None:
    """It is not skipped silently."""
    (tmp_path / "0001_one.sql").write_text("select 1")
    (tmp_path / name).write_text("select 2")
    with pytest.raises(ValueError, match=r"is not the name of migration 2"):
        load_migrations(tmp_path)


def test_missing_migrations_are_pending() -> None:
    """In order."""
    known = [migration(1), migration(2), migration(3)]
    assert pending(known, []) == known
    assert pending(known, [applied(known[0])]) == known[1:]
    assert pending(known, [applied(one) for one in known]) == []


def test_an_edited_migration_is_one_sentence() -> None:
    """It says what to do."""
    with pytest.raises(MigrationChanged, match=r"^migration 1 \(step_1\) was changed after it was applied"):
        pending([migration(1, "select 2")], [applied(migration(1))])


def test_a_newer_database_is_one_sentence() -> None:
    """Unknown tables are not touched."""
    with pytest.raises(
        DatabaseTooNew, match=r"migration 2 \(step_2\).* knows only 1: run the newer version$"
    ):
        pending([migration(1)], [applied(migration(1)), applied(migration(2))])


def test_concurrent_migrations_take_turns(database: str) -> None:
    """Each migration is applied once, and all callers find the tables ready."""
    known = load_migrations()

    def start(_: int) -> int:
        with ConnectionFactory(settings(), database, "test").connect() as connection:
            return migrate(connection, known)

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(start, range(6))) == [len(known)] * 6
    found = rows(database, "select version, checksum from schema_migrations order by version")
    assert found == [{"version": one.version, "checksum": one.checksum} for one in known]
    assert rows(database, "select count(*) as n from bot_configurations") == [{"n": 1}]


def test_a_migration_that_fails_leaves_nothing(database: str) -> None:
    """Earlier ones stay applied, and a repaired one is applied later."""
    good, bad = migration(1, "create table one ()"), migration(2, "create table two (); select 1 / 0")
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        with pytest.raises(errors.DivisionByZero):
            migrate(connection, [good, bad])
        tables = "select count(*) as n from pg_tables where tablename in ('one', 'two')"
        assert rows(database, tables) == [{"n": 1}]
        assert migrate(connection, [good, replace(bad, sql="create table two ()")]) == 2
        assert rows(database, tables) == [{"n": 2}]
