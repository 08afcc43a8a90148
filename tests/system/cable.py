"""The wire to PostgreSQL, which can lose what the server says: a commit is done, and nobody is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

_SOCKET = ".s.PGSQL.5432"


class Cable:
    """Carries each connection on threads of its own, so that tests may block on others."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder = folder
        self._server = server
        self._deaf: str | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen(64)

    def deafen(self, application: str) -> None:
        """From now on that application's open connections hear nothing any more, until they are cut."""
        self._deaf = application

    def heal(self) -> None:
        """New connections hear everything."""
        self._deaf = None

    # On threads

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._server / _SOCKET))
            # The first packet names the application.
            greeting = client.recv(65536)
            server.sendall(greeting)
            back = Thread(target=self._back, args=(server, client, greeting), daemon=True)
            back.start()
            while data := client.recv(65536):
                server.sendall(data)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join()

    def _back(self, server: socket.socket, client: socket.socket, greeting: bytes) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self._deaf is None or self._deaf.encode() + b"\0" not in greeting:
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def open_cable(server: Path) -> Generator[Cable, None, None]:
    """A folder to connect to in place of the server's own."""
    with TemporaryDirectory(prefix="cable") as folder:
        os.chmod(folder, 0o755)
        cable = Cable(server, Path(folder))
        thread = Thread(target=cable.serve, daemon=True)
        thread.start()
        try:
            yield cable
        finally:
            cable.close()
            thread.join()
