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
    is_hopeless,
    is_unavailable,
)
from actors.database.errors import DatabaseFault, DatabaseRejected, DatabaseUnavailable
from actors.services import DataDir

from ..records import settings

SECRET = "s3cret-w0rd"


def fault_of(dsn: str) -> str:
    """The sentence that an attempt to connect ends with."""
    with pytest.raises(DatabaseFault) as raised:
        ConnectionFactory(settings(connect_timeout=2), dsn, "test").connect()
    sentence = str(raised.value)
    assert SECRET not in sentence
    assert "\n" not in sentence
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return f"{type(raised.value).__name__}: {sentence}"


def test_a_connection_is_limited_and_speaks_utc(database: str) -> None:
    """In autocommit mode, under the name of its actor."""
    with ConnectionFactory(settings(statement_timeout=3.5), database, "botvisor test").connect() as link:
        row = link.execute(
            "select current_setting('statement_timeout') as limit, current_setting('timezone') as zone,"
            " current_setting('application_name') as name"
        ).fetchone()
        assert row == {"limit": "3500ms", "zone": "UTC", "name": "botvisor test"}
        assert link.autocommit


def test_an_operators_own_parameters_win(database: str) -> None:
    """Ours are for what was left open."""
    with ConnectionFactory(settings(), f"{database} keepalives_idle=77", "test").connect() as link:
        assert link.info.get_parameters()["keepalives_idle"] == "77"
        assert link.info.get_parameters()["keepalives_count"] == "3"


@pytest.fixture
def closed_port() -> Generator[int, None, None]:
    """A port of ours on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent_port() -> Generator[int, None, None]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_nobody_there_is_an_absence(closed_port: int, tmp_path: Path) -> None:
    """So is a socket that does not exist yet, and a host that nobody knows."""
    url = f"postgresql://bob:{SECRET}@127.0.0.1:{closed_port}/bots"
    assert fault_of(url) == (
        f"DatabaseAway: PostgreSQL at 127.0.0.1:{closed_port} is away: Connection refused"
    )
    assert fault_of(f"host={tmp_path} user=bob") == (
        f"DatabaseAway: PostgreSQL at {tmp_path} is away: No such file or directory"
    )
    assert fault_of("postgresql://nowhere.invalid/bots").startswith(
        "DatabaseAway: PostgreSQL at nowhere.invalid is away: "
    )


def test_a_server_that_says_nothing_is_an_absence(silent_port: int) -> None:
    """After the time limit."""
    assert fault_of(f"postgresql://127.0.0.1:{silent_port}/bots") == (
        f"DatabaseAway: PostgreSQL at 127.0.0.1:{silent_port} is away: connection timeout expired"
    )


def test_a_log_in_that_is_refused_is_no_absence(
    database: str, postgres_dsn: str, shared_data_dir: DataDir
) -> None:
    """Neither is a role or a database that does not exist."""
    rules = shared_data_dir.postgres / "data" / "pg_hba.conf"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        rules.write_text("local all secretive scram-sha-256\nlocal all barred reject\n" + rules.read_text())
        connection.execute("select pg_reload_conf()")
        connection.execute(f"create role secretive login password '{SECRET}'")
    place = shared_data_dir.run / "postgres"
    refused = f"DatabaseRefused: PostgreSQL at {place} refuses us:"
    with ConnectionFactory(
        settings(), f"{database} user=secretive password={SECRET}", "test"
    ).connect() as link:
        assert link.info.user == "secretive"
    assert fault_of(f"{database} user=secretive password={SECRET}x") == (
        f'{refused} password authentication failed for user "secretive"'
    )
    assert fault_of(f"{database} user=secretive") == f"{refused} fe_sendauth: no password supplied"
    assert fault_of(f"{database} user=barred").startswith(f"{refused} pg_hba.conf rejects connection")
    assert fault_of(f"{postgres_dsn} dbname=nothing") == f'{refused} database "nothing" does not exist'
    assert fault_of(f"{postgres_dsn} user=nobody_here") == f'{refused} role "nobody_here" does not exist'


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
def test_an_address_that_is_none_is_refused_without_quoting_it(dsn: str) -> None:
    """As its parts may be a secret."""
    refused = fault_of(dsn)
    assert refused.startswith("DatabaseRefused: ")


@pytest.mark.parametrize(
    ("code", "away", "conflict"),
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
def test_errors_of_the_server_are_told_from_errors_of_a_statement(
    code: str, away: bool, conflict: bool
) -> None:
    """By their SQLSTATE."""
    error = errors.lookup(code)("said so")
    assert (is_unavailable(error), is_conflict(error)) == (away, conflict)


def test_a_broken_connection_is_an_absence() -> None:
    """The driver has no SQLSTATE for it. A value that it cannot send is none."""
    assert is_unavailable(psycopg.OperationalError("server closed the connection unexpectedly"))
    assert is_unavailable(psycopg.InterfaceError("the connection is closed"))
    assert not is_unavailable(psycopg.DataError("text fields cannot contain NUL (0x00) bytes"))
    assert isinstance(
        ConnectionFactory(settings(), "host=h port=1", "test").fault(psycopg.OperationalError("gone")),
        DatabaseUnavailable,
    )
    fault = ConnectionFactory(settings(), "host=h port=1", "test").fault(
        errors.InsufficientPrivilege("denied for x")
    )
    assert isinstance(fault, DatabaseRejected)
    assert str(fault) == "PostgreSQL at h:1 refuses what we need: denied for x"


def test_what_was_sent_is_to_blame_or_the_server(database: str) -> None:
    """After the one, the next statement may work; after the other, none will."""
    with ConnectionFactory(settings(), database, "test").connect() as link:
        with pytest.raises(psycopg.Error) as wrong:
            link.execute("select 1 / 0")
        assert not is_hopeless(link, wrong.value)
        assert not is_hopeless(link, ValueError("a lone surrogate"))
        assert is_hopeless(link, errors.DiskFull("no space left"))
        end_from_outside(database, link)
        with pytest.raises(psycopg.Error) as broken:
            link.execute("select 1")
        assert is_hopeless(link, broken.value)
        assert is_hopeless(link, ValueError("whatever it was"))


def end_from_outside(database: str, link: Connection) -> None:
    with psycopg.connect(database) as other:
        other.execute("select pg_terminate_backend(%s)", (link.info.backend_pid,))


def test_an_error_is_one_line(database: str) -> None:
    """The server's own sentence without its context, the first line of any other, else its kind."""
    with (
        ConnectionFactory(settings(), database, "test").connect() as link,
        pytest.raises(psycopg.Error) as wrong,
    ):
        link.execute("select 'x'::int")
    assert first_line(wrong.value) == 'invalid input syntax for type integer: "x"'
    assert first_line(ValueError("CODE: bad\nmore of it")) == "CODE: bad"
    assert first_line(TypeError()) == "TypeError"
