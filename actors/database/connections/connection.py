"""How to get into the database, and what its errors mean to us.

Everything here blocks and belongs on a worker thread; see `threads.py`.
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
"""A connection as this package uses it: rows are dicts, transactions are opened by name only."""

UNSENDABLE: Final = (psycopg.Error, ValueError, TypeError)
"""What a statement may fail with. The last two are the driver's own words for a value that it cannot even
send: a lone surrogate, data that is not JSON."""

# Where there is no setting of the operator's own: a server that vanished without a word is given up after
# idle + interval * count seconds, or when it left what we sent unacknowledged for tcp_user_timeout.
_LIVENESS: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}

# Classes of SQLSTATE that tell of the server and not of what was asked of it.
_AWAY_CLASSES: Final = {
    "08",  # connection exception
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "57",  # operator intervention: shutdown, starting up, statement timeout
    "58",  # system error: input and output
}
_SLOW: Final = {"57014", "55P03"}  # statement timeout, lock timeout
_READ_ONLY: Final = "25006"  # after a failover we may be talking to a standby
_CONFLICT_CLASS: Final = "40"  # serialization failure, deadlock: the same may work next time

# libpq has no SQLSTATE for a refused log-in, so its words must do. What is not
# among them counts as an absence, since to wait is the smaller mistake.
_REFUSALS: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|role \".*\" does not exist|database \".*\" does not exist|permission denied for database"
    r"|is not permitted to log in|is not currently accepting connections"
    r"|authentication method|server does not support SSL|certificate|invalid .*value"
    r"|unsupported startup parameter",
    re.IGNORECASE,
)
# What libpq says before it comes to the point.
_PREAMBLE: Final = re.compile(
    r"^(?:connection (?:failed|is bad): )?(?:connection to server .*? failed: )?(?:[A-Z]+: +)?",
    re.DOTALL,
)


# The driver's own text quotes pieces of the address, and a badly escaped password is such a piece.
_NO_ADDRESS: Final = "the address of the database is not one that libpq understands"
_PORTS: Final = re.compile(r"^[\d, ]*$")


_HANG: Final = 2.0
"""So many statement timeouts without a word, and a server that keeps none of its own limits is away."""


class ConnectionFactory:
    """Where the record is, and how this actor gets in."""

    def __init__(self, settings: DatabaseSettings, dsn: str, application_name: str) -> None:
        """Take the settings apart.

        Raises:
            DatabaseRefused: ``dsn`` is not an address that libpq understands.
        """
        try:
            given = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
        except psycopg.ProgrammingError:
            raise DatabaseRejected(_NO_ADDRESS) from None
        # Nor is this an address, though libpq would try: a badly escaped password gets into host or port.
        if "@" in given.get("host", "")[1:] or not _PORTS.match(given.get("port", "")):
            raise DatabaseRejected(_NO_ADDRESS)
        self._conninfo = make_conninfo(
            dsn,
            **{key: value for key, value in _LIVENESS.items() if key not in given},
            connect_timeout=math.ceil(settings.connect_timeout_seconds),
            application_name=application_name,
        )
        self._statement_timeout = max(1, round(settings.statement_timeout_seconds * 1000))
        self.place = _place(given)
        self.hang = _HANG * settings.statement_timeout_seconds
        """Seconds without an answer to a statement after which the server counts as away."""

    def connect(self) -> Connection:
        """Open a connection in autocommit mode, whose statements are limited in time.

        Raises:
            DatabaseAway: nobody answers there; it may be tried again.
            DatabaseRefused: the server lets nobody in with these settings.
        """
        try:
            link = Connection.connect(self._conninfo, autocommit=True, row_factory=dict_row)
        except psycopg.ProgrammingError:
            raise DatabaseRejected(_NO_ADDRESS) from None
        except psycopg.Error as error:
            reason = first_line(error)
            if _REFUSALS.search(reason):
                raise DatabaseRejected(f"PostgreSQL at {self.place} refuses us: {reason}") from None
            raise DatabaseUnavailable(f"PostgreSQL at {self.place} is away: {reason}") from None
        try:
            # Not as start-up parameters: PgBouncer refuses those that it does not know.
            link.execute(
                "select set_config('statement_timeout', %(limit)s, false),"
                " set_config('idle_in_transaction_session_timeout', %(limit)s, false),"
                " set_config('timezone', 'UTC', false)",
                {"limit": str(self._statement_timeout)},
            )
        except psycopg.Error as error:
            link.close()
            raise self.fault(error) from None
        return link

    def fault(self, error: psycopg.Error) -> DatabaseUnavailable | DatabaseRejected:
        """What an error of a statement means, where no single message is to blame for it."""
        if is_unavailable(error) or is_conflict(error):
            return DatabaseUnavailable(f"PostgreSQL at {self.place} is away: {first_line(error)}")
        return DatabaseRejected(f"PostgreSQL at {self.place} refuses what we need: {first_line(error)}")


def no_answer(seconds: float) -> psycopg.OperationalError:
    """The error of a statement that was given up after so long; `is_unavailable` knows it."""
    return psycopg.OperationalError(f"no answer within {seconds:g} s")


def tuples(_: object) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A row factory for where dictionaries would cost as much as the statement."""
    return tuple


def is_unavailable(error: psycopg.Error) -> bool:
    """Whether the error tells of the server's state, so that anything asked of it would fail now."""
    code = error.sqlstate
    if code is None:
        # Not the server's words but the driver's, of a connection that broke.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code[:2] in _AWAY_CLASSES or code == _READ_ONLY


def is_conflict(error: psycopg.Error) -> bool:
    """Whether the same may work when it is tried again, since others were in the way."""
    return (error.sqlstate or "").startswith(_CONFLICT_CLASS)


def is_slow(error: Exception) -> bool:
    """Whether a statement took longer than it may, perhaps since somebody else holds its rows."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _SLOW


def is_hopeless(link: Connection, error: Exception) -> bool:
    """Whether the connection or the server is to blame for an error, and not what was sent."""
    return link.closed or (isinstance(error, psycopg.Error) and is_unavailable(error))


def is_lost(
    connection: psycopg.Connection[DictRow] | psycopg.AsyncConnection[tuple[Any, ...]], error: Exception
) -> bool:
    """As `is_hopeless`, but what only took too long is to blame itself: others can still be served."""
    away = isinstance(error, psycopg.Error) and is_unavailable(error)
    return connection.closed or (away and not is_slow(error))


def first_line(error: Exception) -> str:
    """The one line of an error that says why."""
    text = str(error).strip()
    if isinstance(error, psycopg.Error):
        text = error.diag.message_primary or _PREAMBLE.sub("", text)
    return text.strip().partition("\n")[0].strip() or type(error).__name__


def _place(given: dict[str, str]) -> str:
    host = given.get("host") or given.get("hostaddr") or given.get("service") or "its default socket"
    if "/" in host or "port" not in given:
        return host
    return f"{host}:{given['port']}"


def probe_database(settings: DatabaseSettings, dsn: str, application_name: str = "botvisor check") -> str:
    """Connect, run one statement, and return what answered, as in "PostgreSQL 18.1". Blocks meanwhile.

    Raises:
        DatabaseAway, DatabaseRefused: it did not work.
    """
    server = ConnectionFactory(settings, dsn, application_name)
    with closing(server.connect()) as link:
        try:
            row = link.execute("select current_setting('transaction_read_only') = 'on' as locked").fetchone()
        except psycopg.Error as error:
            raise server.fault(error) from None
        if row is None or row["locked"]:
            raise DatabaseUnavailable(
                f"PostgreSQL at {server.place} is read-only at the moment, as a standby is"
            )
        version = link.info.server_version
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"
