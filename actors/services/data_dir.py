"""The data directory: the one folder with everything durable, locked by one process at a time.

::

    <data directory>/
    ├── lock            locked by the owning process; contains its pid
    ├── instance.json   URLs of the running instance (`instance.py`)
    ├── postgres/       the embedded PostgreSQL
    ├── valkey/         the embedded Valkey
    ├── practice/       the practice portal
    ├── journal/        session events not yet written to the database
    ├── name            identifies this instance on a shared database
    ├── screenshots/    screenshots of sessions
    ├── logins/         saved logins of the sessions, encrypted
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
MAX_SOCKET_PATH = 107  # bytes of sockaddr_un.sun_path without the terminating NUL
MAX_SOCKET_NAME = len("/postgres/.s.PGSQL.5432")

_MAX_NAME_LENGTH = 100
_LOCK_TRIES = 10  # `owner` holds the lock for an instant, which must not make `open_data_dir` fail
_LOCK_PAUSE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDir:
    """An open data directory: its folders exist, and no other process can open it until it is closed."""

    path: Path
    run: Path
    """Folder for Unix sockets: inside `path`, or a temporary folder if that path is too long."""
    name: str
    """Identifies this instance among those on one database; the same each time the directory is opened.

    It contains the host name, so that a copy of the directory on another host has another name.
    """

    @property
    def postgres(self) -> Path:
        """Folder of the embedded PostgreSQL."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Folder of the embedded Valkey."""
        return self.path / "valkey"

    @property
    def practice(self) -> Path:
        """Folder of the practice portal."""
        return self.path / "practice"

    @property
    def journal(self) -> Path:
        """Folder of the journal."""
        return self.path / "journal"

    @property
    def logins(self) -> Path:
        """Folder of saved logins; created on first use."""
        return self.path / "logins"

    @property
    def screenshots(self) -> Path:
        """Folder of screenshots; created on first use."""
        return self.path / "screenshots"


@contextmanager
def open_data_dir(path: Path | None = None) -> Generator[DataDir, None, None]:
    """Open and lock the data directory for the duration of the block; it is created if it does not exist.

    The kernel releases the lock when this process ends, however it ends. Child processes do not inherit it.

    Args:
        path: None uses `default_path`.

    Raises:
        DataDirUnusable: it cannot be created or written, or its name cannot be read.
        DataDirInUse: another process has it open.
    """
    path = (default_path() if path is None else path).expanduser().absolute()
    try:
        _create_traversable(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnusable(path, _reason(error)) from error
    try:
        try:
            _acquire_lock(lock, path)
            data_dir = _create_folders(path)
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
    """Return the pid of the process that has the data directory open, or None.

    Raises:
        DataDirUnusable: it cannot be read.
    """
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataDirUnusable(path, _reason(error)) from error
    try:
        return None if _try_lock(lock, fcntl.LOCK_SH) else _read_pid(lock)
    finally:
        os.close(lock)


def default_path() -> Path:
    """Return ``$XDG_DATA_HOME/botvisor``, or ``~/.local/share/botvisor``."""
    named = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification requires a relative path to be ignored.
    return (Path(named) if os.path.isabs(named) else Path.home() / ".local" / "share") / "botvisor"


def _acquire_lock(lock: int, path: Path) -> None:
    for _ in range(_LOCK_TRIES):
        if _try_lock(lock, fcntl.LOCK_EX):
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return
        time.sleep(_LOCK_PAUSE)
    raise DataDirInUse(path, _read_pid(lock))


def _read_pid(lock: int) -> int | None:
    written = os.pread(lock, 32, 0).strip()
    return int(written) if written.isdigit() else None


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create_folders(path: Path) -> DataDir:
    (path / INSTANCE).unlink(missing_ok=True)  # left by a killed instance
    data_dir = DataDir(
        path=path, run=_run_folder(path), name=f"{socket.gethostname()}:{_instance_name(path)}"
    )
    _create_traversable(data_dir.run)
    for part in (data_dir.postgres, data_dir.valkey, data_dir.practice, data_dir.journal):
        part.mkdir(mode=0o700, exist_ok=True)
    return data_dir


def _instance_name(path: Path) -> str:
    file = path / NAME
    if not file.exists():
        _write_durably(file, f"{uuid4().hex}\n".encode())
    with file.open("rb") as stream:
        content = stream.read(_MAX_NAME_LENGTH + 1)
    try:
        name = content.decode().strip()
    except UnicodeDecodeError:
        name = ""
    # Never replaced automatically: under another name this instance would wait for its own leases to expire.
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise DataDirUnusable(path, f"{file} has no valid name; delete the file to get a new name")
    return name


def _write_durably(file: Path, content: bytes) -> None:
    """Write a new file atomically and durably."""
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


def _create_traversable(path: Path) -> None:
    """Create a folder with mode 0711: servers that run as other users must be able to pass through it."""
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o711)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(path))
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "not writable", str(path))


def _run_folder(path: Path) -> Path:
    """Return the folder for sockets; always the same for the same data directory."""
    # PostgreSQL connection strings separate hosts by commas.
    if "," not in str(path) and _fits(path / "run"):
        return path / "run"
    name = f"botvisor-{os.geteuid()}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    candidates = (Path(tempfile.gettempdir()) / name, Path("/tmp") / name)
    folder = next((candidate for candidate in candidates if _fits(candidate)), candidates[-1])
    if os.path.lexists(folder):
        status = folder.lstat()
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            # Any user can create a folder of this name in a temporary directory.
            raise PermissionError(errno.EPERM, "not a directory owned by this user", str(folder))
    return folder


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) + MAX_SOCKET_NAME <= MAX_SOCKET_PATH


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason} ({error.filename})" if error.filename else reason
