"""A proxy for PostgreSQL that can drop replies: a commit succeeds, and the client does not learn it."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

_SOCKET = ".s.PGSQL.5432"


class DatabaseProxy:
    """Forwards each connection on threads of its own, so that tests may block other threads."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder = folder
        self._server = server
        self._dropped: str | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen(64)

    def drop_replies(self, application: str) -> None:
        """Drop all replies to this application's open connections."""
        self._dropped = application

    def restore(self) -> None:
        """Forward all replies again."""
        self._dropped = None

    # Threads

    def serve(self) -> None:
        """Accept connections until `close`."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server / _SOCKET))
            # The first packet has the application's name.
            startup = client.recv(65536)
            server.sendall(startup)
            replies = Thread(target=self._forward_replies, args=(server, client, startup), daemon=True)
            replies.start()
            while data := client.recv(65536):
                server.sendall(data)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            replies.join()

    def _forward_replies(self, server: socket.socket, client: socket.socket, startup: bytes) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self._dropped is None or self._dropped.encode() + b"\0" not in startup:
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop accepting connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def open_proxy(server: Path) -> Generator[DatabaseProxy, None, None]:
    """Run a proxy whose folder has a socket in place of the server's."""
    with TemporaryDirectory(prefix="proxy") as folder:
        os.chmod(folder, 0o755)
        proxy = DatabaseProxy(server, Path(folder))
        thread = Thread(target=proxy.serve, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            thread.join()
