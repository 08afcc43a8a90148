from __future__ import annotations

from actors.database.connections.connection import ConnectionFactory
from actors.database.migrations.migrate import load_migrations, migrate

from ..harness import rows, settings


def test_version_8_keeps_the_workers_and_limits_of_version_7(database: str) -> None:
    """Only the names of the view and its column, and of two columns of the workers change."""
    migrations = load_migrations()
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        assert migrate(connection, migrations[:7]) == 7
        rows(
            database,
            "insert into task_workers (owner, types, seen_at, closed, slots)"
            " values ('here', '{work}', now(), '{\"login\": \"no session\"}', 20)",
        )
        rows(database, "insert into task_limits (scope, name, max_running) values ('type', 'work', 3)")
        rows(database, "insert into task_limits (scope, name, paused) values ('all', '', true)")
        assert rows(database, "select room from task_rooms order by scope") == [{"room": 0}, {"room": 3}]
        assert migrate(connection, migrations) == len(migrations)
    assert rows(database, "select owner, types, unavailable_types, concurrency from task_workers") == [
        {"owner": "here", "types": ["work"], "unavailable_types": {"login": "no session"}, "concurrency": 20}
    ]
    assert rows(database, "select scope, remaining from task_limit_usage order by scope") == [
        {"scope": "all", "remaining": 0},
        {"scope": "type", "remaining": 3},
    ]
    assert rows(database, "select from pg_class where relname = 'task_rooms'") == []
