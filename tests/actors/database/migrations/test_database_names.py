from __future__ import annotations

from actors.database.connections.connection import ConnectionFactory
from actors.database.maintenance.verify import verify_database
from actors.database.migrations.migrate import load_migrations, migrate

from ..harness import rows, settings

SESSION = "00000000-0000-0000-0000-000000000001"


def test_version_9_keeps_the_counters_and_outcomes_of_version_8(database: str) -> None:
    """Only the names of two columns, two constraints and two indexes change."""
    migrations = load_migrations()
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        assert migrate(connection, migrations[:8]) == 8
        rows(
            database,
            "insert into bot_sessions (id, session_name, total_accepted, forgotten_accepted)"
            f" values ('{SESSION}', 'one', 3, 2)",
        )
        rows(
            database,
            "insert into job_records"
            " (session_id, job_ref, language, duration, status, job_type, decision, settled)"
            f" values ('{SESSION}', 'A', 'Polish', '60 min', 'accepted', 'Telephone', 'accept', 'portal'),"
            f" ('{SESSION}', 'B', 'Polish', '60 min', 'matched', 'Telephone', 'accept', null)",
        )
        assert migrate(connection, migrations) == len(migrations)
    assert rows(database, "select total_accepted, deleted_accepted from bot_sessions") == [
        {"total_accepted": 3, "deleted_accepted": 2}
    ]
    assert rows(database, "select job_ref, outcome_source from job_records order by job_ref") == [
        {"job_ref": "A", "outcome_source": "portal"},
        {"job_ref": "B", "outcome_source": None},
    ]
    assert [result for result in verify_database(settings(), database) if result.broken] == []
    former = (
        "select conname as name from pg_constraint where conname like '%settled%' union all"
        " select relname from pg_class where relname like '%unended%' or relname like '%in_motion%'"
    )
    assert rows(database, former) == []
