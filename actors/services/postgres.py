"""The embedded PostgreSQL server, on a Unix socket that only this user can reach."""

from __future__ import annotations

import signal
import struct
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import trio

from .cluster import DATABASE, ENVIRONMENT, ROLE, ensure_cluster, postgres_programs, stale_pid
from .data_dir import DataDir
from .errors import DataDirUnusable, ProcessNotReady
from .identity import make_private_directory, unprivileged
from .process import ChildProcess, Command, StopStep
from .server import ServerProcess

_READY = "database system is ready to accept connections"

_SETTINGS = {
    "listen_addresses": "",  # no TCP
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "max_wal_size": "256MB",  # recovery after a kill takes seconds
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",  # no replication
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "",  # our log has time and process
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer(ServerProcess):
    """Runs PostgreSQL on ``<data directory>/postgres``; committed transactions are on disk.

    The first start creates the files; a start after a kill recovers them. It stops with a fast shutdown:
    clients are disconnected and transactions rolled back.

    The constructor starts nothing; `dsn` and `url` are always available.

    Raises:
        BinaryMissing, DataDirUnusable, DataDirVersion, ProcessExited, ProcessNotReady: from ``started``.
    """

    _stop: ClassVar[tuple[StopStep, ...]] = (
        StopStep(signal=signal.SIGINT, grace=3.0),  # fast shutdown, with a checkpoint
        StopStep(signal=signal.SIGQUIT, grace=0.5),  # immediate shutdown; the next start recovers
    )

    def __init__(self, data_dir: DataDir) -> None:
        self._home = data_dir.postgres
        self._cluster = data_dir.postgres / "data"
        self._sockets = data_dir.run / "postgres"

    @property
    def dsn(self) -> str:
        """Connection string in key=value form."""
        host = str(self._sockets).replace("\\", "\\\\").replace("'", "\\'")
        return f"host='{host}' dbname={DATABASE} user={ROLE}"

    @property
    def url(self) -> str:
        """Connection string as a URL."""
        return f"postgresql:///{DATABASE}?host={quote(str(self._sockets), safe='')}&user={ROLE}"

    async def prepare(self) -> Command:
        programs = postgres_programs()
        program = programs / "postgres"
        try:
            identity = unprivileged(self._home, program)
            make_private_directory(self._home, identity)
            make_private_directory(self._sockets, identity)
            for (
                stale_socket
            ) in self._sockets.iterdir():  # of a killed server; we hold the data directory's lock
                stale_socket.unlink()
        except OSError as error:
            raise DataDirUnusable(self._home, f"{error.strerror} ({error.filename})") from error
        await ensure_cluster(self._cluster, programs, identity)
        environment = dict(ENVIRONMENT)
        if (stale := stale_pid(self._cluster)) is not None:
            # PostgreSQL then does not treat a process with this pid as the old server; pg_ctl does the same.
            environment["PG_GRANDPARENT_PID"] = str(stale)
        settings = {**_SETTINGS, "unix_socket_directories": _quoted(self._sockets)}
        return Command(
            name="postgres",
            argv=(
                *(str(program), "-D", str(self._cluster)),
                *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
            ),
            env=environment,
            cwd=Path("/"),
            identity=identity,
            stop=self._stop,
        )

    async def ready(self, process: ChildProcess) -> str:
        await process.find_line(lambda line: True if _READY in line else None)
        await _open_session(self._sockets / ".s.PGSQL.5432")
        return self.dsn


def _quoted(path: Path) -> str:
    """Quote a folder for a list of folders in PostgreSQL's settings."""
    return '"' + str(path).replace('"', '""') + '"'


async def _open_session(socket: Path) -> None:
    """Open and close a session, by PostgreSQL's wire protocol.

    Only `actors.database` uses the driver; a startup packet and the types of the replies suffice here.

    Raises:
        ProcessNotReady: the server rejected the connection; the message is the server's own.
    """
    payload = f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
    answer = b""
    async with await trio.open_unix_socket(socket) as stream:
        await stream.send_all(struct.pack("!ii", len(payload) + 8, 3 << 16) + payload)
        while chunk := await stream.receive_some():
            answer += chunk
            while len(answer) >= 5 and len(answer) > (length := struct.unpack_from("!i", answer, 1)[0]):
                kind, body, answer = answer[:1], answer[5 : length + 1], answer[length + 1 :]
                if kind == b"E":
                    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0")}
                    raise ProcessNotReady("postgres", fields.get(b"M", "it rejected the connection"))
                if kind == b"Z":  # ready for a query
                    await stream.send_all(b"X" + struct.pack("!i", 4))
                    return
    raise ProcessNotReady("postgres", "it closed the connection")
