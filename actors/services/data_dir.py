"""The one folder in which everything durable lives, and the lock that gives it one owner.

::

    <data directory>/
    ├── lock            held by the kernel for the owner; holds its pid
    ├── instance.json   where the running instance is reached (`instance.py`)
    ├── postgres/       the embedded PostgreSQL
    ├── valkey/         the embedded Valkey
    ├── practice/       the practice portal
    ├── journal/        facts on their way to the database
    ├── name            what other instances on the same database know it by
    ├── screenshots/    what sessions took pictures of
    ├── logins/         the sessions' log-ins at their portals, encrypted
    └── run/            Unix sockets
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from .errors import DataDirInUse, DataDirUnusable

LOCK = "lock"
INSTANCE = "instance.json"
NAME = "name"
LONGEST_SOCKET_PATH = 107  # bytes that fit into sockaddr_un.sun_path, its closing NUL excluded
LONGEST_SOCKET_NAME = len("/postgres/.s.PGSQL.5432")

_LONGEST_NAME = 100
_LOCK_TRIES = 10  # a look at the lock by `owner` holds it for an instant, and must not refuse an owner
_LOCK_PAUSE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDir:
    """An open data directory: its parts exist, and nobody else opens it until it is closed."""

    path: Path
    run: Path
    """For Unix sockets: inside `path`, or a temporary folder of ours where that path is too long."""
    name: str
    """What instances on one database tell each other apart by; the same each time that this is opened.

    The host is a part of it, so that a copy of the directory elsewhere has another name.
    """

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def practice(self) -> Path:
        return self.path / "practice"

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def logins(self) -> Path:
        return self.path / "logins"

    @property
    def screenshots(self) -> Path:
        return self.path / "screenshots"


@contextmanager
def open_data_dir(path: Path | None = None) -> Generator[DataDir, None, None]:
    """Make the data directory where it does not exist, and own it until the block is left.

    The kernel lets go of the lock when we die, however we die. Children do not
    inherit it.

    Args:
        path: None takes the user's usual place, see `default_path`.

    Raises:
        DataDirUnusable: it cannot be made or written, or its name cannot be read.
        DataDirInUse: another process owns it.
    """
    path = (default_path() if path is None else path).expanduser().absolute()
    try:
        _make_passable(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnusable(path, _reason(error)) from error
    try:
        try:
            _take(lock, path)
            data_dir = _lay_out(path)
        except OSError as error:
            raise DataDirUnusable(path, _reason(error)) from error
        try:
            yield data_dir
        finally:
            (path / INSTANCE).unlink(missing_ok=True)
            if data_dir.run.parent != path:
                shutil.rmtree(data_dir.run, ignore_errors=True)
            os.ftruncate(lock, 0)
    finally:
        os.close(lock)


def owner(path: Path) -> int | None:
    """The pid of the process that has the data directory open; None where nobody has.

    Raises:
        DataDirUnusable: it may not be looked into.
    """
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataDirUnusable(path, _reason(error)) from error
    try:
        return None if _lock(lock, fcntl.LOCK_SH) else _written_pid(lock)
    finally:
        os.close(lock)


def default_path() -> Path:
    """The user's usual place: ``$XDG_DATA_HOME/botvisor`` or ``~/.local/share/botvisor``."""
    named = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification says to ignore a relative path.
    return (Path(named) if os.path.isabs(named) else Path.home() / ".local" / "share") / "botvisor"


def _take(lock: int, path: Path) -> None:
    for _ in range(_LOCK_TRIES):
        if _lock(lock, fcntl.LOCK_EX):
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return
        time.sleep(_LOCK_PAUSE)
    raise DataDirInUse(path, _written_pid(lock))


def _written_pid(lock: int) -> int | None:
    written = os.pread(lock, 32, 0).strip()
    return int(written) if written.isdigit() else None


def _lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lay_out(path: Path) -> DataDir:
    (path / INSTANCE).unlink(missing_ok=True)  # of an instance that was killed
    data_dir = DataDir(path=path, run=_run_folder(path), name=f"{socket.gethostname()}:{_own_name(path)}")
    _make_passable(data_dir.run)
    for part in (data_dir.postgres, data_dir.valkey, data_dir.practice, data_dir.journal):
        part.mkdir(mode=0o700, exist_ok=True)
    return data_dir


def _own_name(path: Path) -> str:
    file = path / NAME
    if not file.exists():
        _write_durably(file, f"{uuid4().hex}\n".encode())
    with file.open("rb") as stream:
        content = stream.read(_LONGEST_NAME + 1)
    try:
        name = content.decode().strip()
    except UnicodeDecodeError:
        name = ""
    # Never made anew by itself: under another name it would have to wait for its own leases to end.
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise DataDirUnusable(path, f"there is no name in {file}; without that file it gets a new one")
    return name


def _write_durably(file: Path, content: bytes) -> None:
    """Write a new file, the whole of it or nothing, also where the power fails."""
    draft = file.with_suffix(".new")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_passable(path: Path) -> None:
    """Make a folder through which others may pass but not look, as a server may run as another user."""
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o711)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", str(path))
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "it is not writable", str(path))


def _run_folder(path: Path) -> Path:
    """The folder for sockets: the same one for the same data directory, each time."""
    # A comma would separate two hosts in a PostgreSQL connection string.
    if "," not in str(path) and _fits(path / "run"):
        return path / "run"
    name = f"botvisor-{os.geteuid()}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    places = (Path(tempfile.gettempdir()) / name, Path("/tmp") / name)
    folder = next((place for place in places if _fits(place)), places[-1])
    if os.path.lexists(folder):
        status = folder.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            # Anybody may write among temporary files, so the name alone proves nothing.
            raise PermissionError(errno.EPERM, "it is not a folder of ours", str(folder))
    return folder


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason} ({error.filename})" if error.filename else reason
