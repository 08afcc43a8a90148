"""The embedded PostgreSQL: our own server, on a Unix socket that only we can reach."""

from __future__ import annotations

import signal
import struct
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import trio

from .cluster import DATABASE, ENVIRONMENT, ROLE, binaries, ensure_cluster, stale_pid
from .data_dir import DataDir
from .errors import DataDirUnusable, ProcessNotReady
from .identity import own_directory, unprivileged
from .process import ChildProcess, Command, StopStep
from .server import ServerProcess

_READY = "database system is ready to accept connections"

_SETTINGS = {
    "listen_addresses": "",  # no network at all
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "max_wal_size": "256MB",  # so that recovery after a kill takes seconds
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",  # nobody replicates from it
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "",  # the log has time and process already
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer(ServerProcess):
    """Runs PostgreSQL on ``<data directory>/postgres``; whatever it has confirmed is on disk.

    The first start makes the files; a start after a kill recovers them. Stopped
    by its fast shutdown: clients are disconnected, transactions rolled back.

    Making one does nothing yet, so `dsn` and `url` can be asked of any.

    Raises:
        BinaryMissing, DataDirUnusable, DataDirVersion, ProcessExited, ProcessNotReady: from ``started``.
    """

    _stop: ClassVar[tuple[StopStep, ...]] = (
        StopStep(signal=signal.SIGINT, grace=3.0),  # fast: with a checkpoint
        StopStep(signal=signal.SIGQUIT, grace=0.5),  # immediate: the next start recovers
    )

    def __init__(self, data_dir: DataDir) -> None:
        self._home = data_dir.postgres
        self._cluster = data_dir.postgres / "data"
        self._sockets = data_dir.run / "postgres"

    @property
    def dsn(self) -> str:
        """How to reach it, as key=value pairs."""
        host = str(self._sockets).replace("\\", "\\\\").replace("'", "\\'")
        return f"host='{host}' dbname={DATABASE} user={ROLE}"

    @property
    def url(self) -> str:
        """How to reach it, as a URL."""
        return f"postgresql:///{DATABASE}?host={quote(str(self._sockets), safe='')}&user={ROLE}"

    async def prepare(self) -> Command:
        programs = binaries()
        program = programs / "postgres"
        try:
            identity = unprivileged(self._home, program)
            own_directory(self._home, identity)
            own_directory(self._sockets, identity)
            for (
                left
            ) in self._sockets.iterdir():  # by a killed server; the data directory's lock says it is ours
                left.unlink()
        except OSError as error:
            raise DataDirUnusable(self._home, f"{error.strerror} ({error.filename})") from error
        await ensure_cluster(self._cluster, programs, identity)
        environment = dict(ENVIRONMENT)
        if (stale := stale_pid(self._cluster)) is not None:
            # PostgreSQL takes no process of that number for its predecessor. It is what pg_ctl tells it.
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
        await _log_in(self._sockets / ".s.PGSQL.5432")
        return self.dsn


def _quoted(path: Path) -> str:
    """As one element of a list of folders in PostgreSQL's settings."""
    return '"' + str(path).replace('"', '""') + '"'


async def _log_in(socket: Path) -> None:
    """Open a session as a client does, and close it.

    The driver has its room in `records`; a start-up packet and a look at the
    message types that come back are all that is needed here.

    Raises:
        ProcessNotReady: the server said no, in its own words.
    """
    words = f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
    answer = b""
    async with await trio.open_unix_socket(socket) as stream:
        await stream.send_all(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
        while chunk := await stream.receive_some():
            answer += chunk
            while len(answer) >= 5 and len(answer) > (length := struct.unpack_from("!i", answer, 1)[0]):
                kind, body, answer = answer[:1], answer[5 : length + 1], answer[length + 1 :]
                if kind == b"E":
                    fields = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0")}
                    raise ProcessNotReady("postgres", fields.get(b"M", "it refused the connection"))
                if kind == b"Z":  # ready for a query
                    await stream.send_all(b"X" + struct.pack("!i", 4))
                    return
    raise ProcessNotReady("postgres", "it closed the connection")
