from __future__ import annotations

import socket
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from actors.database.connections.connection import (
    Connection,
    ConnectionFactory,
    first_line,
    is_conflict,
    is_server_failure,
    is_unavailable,
)
from actors.database.errors import DatabaseFault, DatabaseRejected, DatabaseUnavailable
from actors.services import DataDir

from ..harness import settings

SECRET = "s3cret-w0rd"


def fault_of(dsn: str) -> str:
    """The error of an attempt to connect, as a sentence."""
    with pytest.raises(DatabaseFault) as raised:
        ConnectionFactory(settings(connect_timeout=2), dsn, "test").connect()
    sentence = str(raised.value)
    assert SECRET not in sentence
    assert "\n" not in sentence
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return f"{type(raised.value).__name__}: {sentence}"


def test_a_connection_has_time_limits_and_uses_utc(database: str) -> None:
    """In autocommit mode, with the name of its actor."""
    with ConnectionFactory(
        settings(statement_timeout=3.5), database, "botvisor test"
    ).connect() as connection:
        row = connection.execute(
            "select current_setting('statement_timeout') as limit, current_setting('timezone') as zone,"
            " current_setting('application_name') as name"
        ).fetchone()
        assert row == {"limit": "3500ms", "zone": "UTC", "name": "botvisor test"}
        assert connection.autocommit


def test_parameters_of_the_operator_win(database: str) -> None:
    """The defaults apply to parameters that are not set."""
    with ConnectionFactory(settings(), f"{database} keepalives_idle=77", "test").connect() as connection:
        assert connection.info.get_parameters()["keepalives_idle"] == "77"
        assert connection.info.get_parameters()["keepalives_count"] == "3"


@pytest.fixture
def closed_port() -> Generator[int, None, None]:
    """A local port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent_port() -> Generator[int, None, None]:
    """A port that accepts connections and never sends a byte."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_an_unreachable_server_is_unavailable(closed_port: int, tmp_path: Path) -> None:
    """So is a missing socket file, and an unknown host."""
    url = f"postgresql://bob:{SECRET}@127.0.0.1:{closed_port}/bots"
    assert fault_of(url) == (
        f"DatabaseUnavailable: PostgreSQL at 127.0.0.1:{closed_port} is unavailable: Connection refused"
    )
    assert fault_of(f"host={tmp_path} user=bob") == (
        f"DatabaseUnavailable: PostgreSQL at {tmp_path} is unavailable: No such file or directory"
    )
    assert fault_of("postgresql://nowhere.invalid/bots").startswith(
        "DatabaseUnavailable: PostgreSQL at nowhere.invalid is unavailable: "
    )


def test_a_silent_server_is_unavailable(silent_port: int) -> None:
    """After the time limit."""
    assert fault_of(f"postgresql://127.0.0.1:{silent_port}/bots") == (
        f"DatabaseUnavailable: PostgreSQL at 127.0.0.1:{silent_port} is unavailable:"
        " connection timeout expired"
    )


def test_a_rejected_login_is_not_unavailable(
    database: str, postgres_dsn: str, shared_data_dir: DataDir
) -> None:
    """Nor is a role or a database that does not exist."""
    rules = shared_data_dir.postgres / "data" / "pg_hba.conf"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        rules.write_text("local all secretive scram-sha-256\nlocal all barred reject\n" + rules.read_text())
        connection.execute("select pg_reload_conf()")
        connection.execute(f"create role secretive login password '{SECRET}'")
    endpoint = shared_data_dir.run / "postgres"
    rejected = f"DatabaseRejected: PostgreSQL at {endpoint} rejects the connection:"
    with ConnectionFactory(
        settings(), f"{database} user=secretive password={SECRET}", "test"
    ).connect() as connection:
        assert connection.info.user == "secretive"
    assert fault_of(f"{database} user=secretive password={SECRET}x") == (
        f'{rejected} password authentication failed for user "secretive"'
    )
    assert fault_of(f"{database} user=secretive") == f"{rejected} fe_sendauth: no password supplied"
    assert fault_of(f"{database} user=barred").startswith(f"{rejected} pg_hba.conf rejects connection")
    assert fault_of(f"{postgres_dsn} dbname=nothing") == f'{rejected} database "nothing" does not exist'
    assert fault_of(f"{postgres_dsn} user=unknown_role") == f'{rejected} role "unknown_role" does not exist'


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://bob:{SECRET}%@host/bots",
        f"host=somewhere {SECRET}",
        f"host=somewhere pasword={SECRET}",
        f"postgresql://host:{SECRET}/bots",
        f"postgresql://bob:my@{SECRET}@host/bots",
    ],
)
def test_an_invalid_address_is_rejected_without_quoting_it(dsn: str) -> None:
    """Parts of it may be a secret."""
    assert fault_of(dsn).startswith("DatabaseRejected: ")


@pytest.mark.parametrize(
    ("code", "unavailable", "conflict"),
    [
        ("57P01", True, False),  # admin shutdown
        ("57P03", True, False),  # cannot connect now
        ("57014", True, False),  # query canceled
        ("53100", True, False),  # disk full
        ("53300", True, False),  # too many connections
        ("08006", True, False),  # connection failure
        ("58030", True, False),  # io error
        ("25006", True, False),  # read-only transaction
        ("40P01", False, True),  # deadlock detected
        ("40001", False, True),  # serialization failure
        ("22001", False, False),  # string data right truncation
        ("23505", False, False),  # unique violation
        ("42501", False, False),  # insufficient privilege
    ],
)
def test_server_errors_are_distinguished_from_statement_errors(
    code: str, unavailable: bool, conflict: bool
) -> None:
    """By their SQLSTATE."""
    error = errors.lookup(code)("message")
    assert (is_unavailable(error), is_conflict(error)) == (unavailable, conflict)


def test_a_broken_connection_is_unavailable() -> None:
    """The driver has no SQLSTATE for it. A value that cannot be sent is not one."""
    assert is_unavailable(psycopg.OperationalError("server closed the connection unexpectedly"))
    assert is_unavailable(psycopg.InterfaceError("the connection is closed"))
    assert not is_unavailable(psycopg.DataError("text fields cannot contain NUL (0x00) bytes"))
    assert isinstance(
        ConnectionFactory(settings(), "host=h port=1", "test").fault(psycopg.OperationalError("lost")),
        DatabaseUnavailable,
    )
    fault = ConnectionFactory(settings(), "host=h port=1", "test").fault(
        errors.InsufficientPrivilege("denied for x")
    )
    assert isinstance(fault, DatabaseRejected)
    assert str(fault) == "PostgreSQL at h:1 rejects a statement: denied for x"


def test_a_statement_or_the_server_caused_the_error(database: str) -> None:
    """After the former, the next statement may work; after the latter, none will."""
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        with pytest.raises(psycopg.Error) as wrong:
            connection.execute("select 1 / 0")
        assert not is_server_failure(connection, wrong.value)
        assert not is_server_failure(connection, ValueError("a lone surrogate"))
        assert is_server_failure(connection, errors.DiskFull("no space left"))
        end_from_outside(database, connection)
        with pytest.raises(psycopg.Error) as broken:
            connection.execute("select 1")
        assert is_server_failure(connection, broken.value)
        assert is_server_failure(connection, ValueError("whatever it was"))


def end_from_outside(database: str, connection: Connection) -> None:
    with psycopg.connect(database) as other:
        other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))


def test_an_error_is_one_line(database: str) -> None:
    """The server's message without its context, otherwise the first line, otherwise the class name."""
    with (
        ConnectionFactory(settings(), database, "test").connect() as connection,
        pytest.raises(psycopg.Error) as wrong,
    ):
        connection.execute("select 'x'::int")
    assert first_line(wrong.value) == 'invalid input syntax for type integer: "x"'
    assert first_line(ValueError("CODE: bad\nmore of it")) == "CODE: bad"
    assert first_line(TypeError()) == "TypeError"
