"""Connects to PostgreSQL and classifies its errors.

Everything here blocks; call it on a worker thread, see `threads.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from ...settings import DatabaseSettings
from ..errors import DatabaseRejected, DatabaseUnavailable

Connection: TypeAlias = psycopg.Connection[DictRow]
"""A connection in autocommit mode whose rows are dicts; transactions are opened explicitly."""

STATEMENT_ERRORS: Final = (psycopg.Error, ValueError, TypeError)
"""The errors of a statement. The driver raises the last two for values that it cannot send: a lone surrogate,
data that is not JSON."""

# Defaults where the operator sets none: a server that vanishes without closing the connection counts as lost
# after idle + interval * count seconds, or when sent data is unacknowledged for tcp_user_timeout.
_LIVENESS: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}

# Classes of SQLSTATE that report the state of the server, not a fault of the statement.
_UNAVAILABLE_CLASSES: Final = {
    "08",  # connection exception
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "57",  # operator intervention: shutdown, starting up, statement timeout
    "58",  # system error: input and output
}
_TIMEOUTS: Final = {"57014", "55P03"}  # statement timeout, lock timeout
_READ_ONLY: Final = "25006"  # after a failover the server may be a standby
_CONFLICT_CLASS: Final = "40"  # serialization failure, deadlock: a retry may succeed

# libpq gives no SQLSTATE for a rejected login, so its message is matched. All other messages count as
# unavailable, since waiting is the smaller mistake.
_REJECTIONS: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|role \".*\" does not exist|database \".*\" does not exist|permission denied for database"
    r"|is not permitted to log in|is not currently accepting connections"
    r"|authentication method|server does not support SSL|certificate|invalid .*value"
    r"|unsupported startup parameter",
    re.IGNORECASE,
)
# What libpq puts in front of the reason.
_PREAMBLE: Final = re.compile(
    r"^(?:connection (?:failed|is bad): )?(?:connection to server .*? failed: )?(?:[A-Z]+: +)?",
    re.DOTALL,
)

# The driver's own message quotes parts of the address, and a badly escaped password can be such a part.
_INVALID_ADDRESS: Final = "the address of the database is invalid: libpq cannot parse it"
_PORTS: Final = re.compile(r"^[\d, ]*$")

_DEADLINE_FACTOR: Final = 2.0
"""A server without an answer for this many statement timeouts is unavailable: it ignores its own limits."""


class ConnectionFactory:
    """Opens connections to the database with the settings of one actor."""

    def __init__(self, settings: DatabaseSettings, dsn: str, application_name: str) -> None:
        """Check the address.

        Raises:
            DatabaseRejected: libpq cannot parse ``dsn``.
        """
        try:
            parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
        except psycopg.ProgrammingError:
            raise DatabaseRejected(_INVALID_ADDRESS) from None
        # libpq accepts this, but it is no address: a badly escaped password ended up in host or port.
        if "@" in parts.get("host", "")[1:] or not _PORTS.match(parts.get("port", "")):
            raise DatabaseRejected(_INVALID_ADDRESS)
        self._conninfo = make_conninfo(
            dsn,
            **{key: value for key, value in _LIVENESS.items() if key not in parts},
            connect_timeout=math.ceil(settings.connect_timeout_seconds),
            application_name=application_name,
        )
        self._statement_timeout = max(1, round(settings.statement_timeout_seconds * 1000))
        self.endpoint = _endpoint(parts)
        self.statement_deadline = _DEADLINE_FACTOR * settings.statement_timeout_seconds
        """Seconds without an answer to a statement after which the server counts as unavailable."""

    def connect(self) -> Connection:
        """Open a connection in autocommit mode, with a statement timeout.

        Raises:
            DatabaseUnavailable: the server does not answer; retry later.
            DatabaseRejected: the server rejects these settings.
        """
        try:
            connection = Connection.connect(self._conninfo, autocommit=True, row_factory=dict_row)
        except psycopg.ProgrammingError:
            raise DatabaseRejected(_INVALID_ADDRESS) from None
        except psycopg.Error as error:
            reason = first_line(error)
            if _REJECTIONS.search(reason):
                raise DatabaseRejected(
                    f"PostgreSQL at {self.endpoint} rejects the connection: {reason}"
                ) from None
            raise DatabaseUnavailable(f"PostgreSQL at {self.endpoint} is unavailable: {reason}") from None
        try:
            # Not as start-up parameters: PgBouncer rejects those that it does not know.
            connection.execute(
                "select set_config('statement_timeout', %(limit)s, false),"
                " set_config('idle_in_transaction_session_timeout', %(limit)s, false),"
                " set_config('timezone', 'UTC', false)",
                {"limit": str(self._statement_timeout)},
            )
        except psycopg.Error as error:
            connection.close()
            raise self.fault(error) from None
        return connection

    def fault(self, error: psycopg.Error) -> DatabaseUnavailable | DatabaseRejected:
        """The fault that an error of a statement means, when no single message caused it."""
        if is_unavailable(error) or is_conflict(error):
            return DatabaseUnavailable(f"PostgreSQL at {self.endpoint} is unavailable: {first_line(error)}")
        return DatabaseRejected(f"PostgreSQL at {self.endpoint} rejects a statement: {first_line(error)}")


def timeout_error(seconds: float) -> psycopg.OperationalError:
    """The error of a statement that was parts up after so long; `is_unavailable` knows it."""
    return psycopg.OperationalError(f"no answer within {seconds:g} s")


def tuples(_: object) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A row factory for statements so small that dictionaries would double their cost."""
    return tuple


def is_unavailable(error: psycopg.Error) -> bool:
    """Whether the error reports the state of the server, so that any statement would fail now."""
    code = error.sqlstate
    if code is None:
        # The driver's error for a broken connection; the server sent none.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code[:2] in _UNAVAILABLE_CLASSES or code == _READ_ONLY


def is_conflict(error: psycopg.Error) -> bool:
    """Whether a retry may succeed, since a concurrent transaction caused the error."""
    return (error.sqlstate or "").startswith(_CONFLICT_CLASS)


def is_timeout(error: Exception) -> bool:
    """Whether a statement exceeded its timeout, perhaps because another transaction locks its rows."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _TIMEOUTS


def is_server_failure(connection: Connection, error: Exception) -> bool:
    """Whether the connection or the server caused an error, and not the statement."""
    return connection.closed or (isinstance(error, psycopg.Error) and is_unavailable(error))


def is_connection_lost(
    connection: psycopg.Connection[DictRow] | psycopg.AsyncConnection[tuple[Any, ...]], error: Exception
) -> bool:
    """Like `is_server_failure`, but false for a timeout: other statements can still be executed."""
    unavailable = isinstance(error, psycopg.Error) and is_unavailable(error)
    return connection.closed or (unavailable and not is_timeout(error))


def first_line(error: Exception) -> str:
    """The line of an error that gives the reason."""
    text = str(error).strip()
    if isinstance(error, psycopg.Error):
        text = error.diag.message_primary or _PREAMBLE.sub("", text)
    return text.strip().partition("\n")[0].strip() or type(error).__name__


def _endpoint(parts: dict[str, str]) -> str:
    host = parts.get("host") or parts.get("hostaddr") or parts.get("service") or "its default socket"
    if "/" in host or "port" not in parts:
        return host
    return f"{host}:{parts['port']}"


def probe_database(settings: DatabaseSettings, dsn: str, application_name: str = "botvisor check") -> str:
    """Connect, run one statement, and return the name of the server, such as "PostgreSQL 18.1". Blocks.

    Raises:
        DatabaseUnavailable, DatabaseRejected: it did not work.
    """
    connections = ConnectionFactory(settings, dsn, application_name)
    with closing(connections.connect()) as connection:
        try:
            row = connection.execute(
                "select current_setting('transaction_read_only') = 'on' as read_only"
            ).fetchone()
        except psycopg.Error as error:
            raise connections.fault(error) from None
        if row is None or row["read_only"]:
            raise DatabaseUnavailable(f"PostgreSQL at {connections.endpoint} is read-only, like a standby")
        version = connection.info.server_version
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"
