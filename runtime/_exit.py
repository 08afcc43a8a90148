"""Exit causes, and the events that report starts, failures and ends of children."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from ._errors import HandlerHung, unwrap


class Cause(StrEnum):
    """Why an incarnation ended. Supervisors, monitors, links and the ledger decide by it."""

    NORMAL = "normal"
    """It ended by itself, without an error."""
    SHUTDOWN = "shutdown"
    """It was asked to stop, or its supervisor shut down."""
    KILLED = "killed"
    """It exceeded its shutdown limit, or its spec gives it none."""
    CRASH = "crash"
    """An error of its own: a bug."""
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    """One of its ``dependency_errors``: something outside is unavailable."""
    HUNG = "hung"
    """It took longer over one message than its spec allows."""
    LINK = "link"
    """An actor linked to it failed."""
    GAVE_UP = "gave up"
    """A supervisor whose children crashed too often."""
    NOT_THERE = "not there"
    """It had ended before it was watched (OTP's ``noproc``)."""

    @property
    def is_failure(self) -> bool:
        """Whether a transient child is restarted after it, and a link propagates it."""
        return self not in (Cause.NORMAL, Cause.SHUTDOWN)

    @property
    def counts_as_restart(self) -> bool:
        """Whether it counts against the supervisor's intensity: an unavailable dependency is no bug."""
        return self is not Cause.DEPENDENCY_UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How one incarnation ended."""

    cause: Cause
    error: BaseException | None = None


def traceback_hash(error: BaseException) -> str:
    """A short hash of the error's type and of the lines in its traceback; its text does not count."""
    error = unwrap(error)
    digest = hashlib.sha256(type(error).__qualname__.encode())
    if isinstance(error, HandlerHung):
        digest.update(error.stack.encode())
    for frame in traceback.extract_tb(error.__traceback__):
        # The file's name only, so that two installations agree.
        digest.update(f"\0{PurePath(frame.filename).name}:{frame.name}:{frame.lineno}".encode())
    return digest.hexdigest()[:12]


def traceback_text(error: BaseException, *, limit: int = 8000) -> str:
    """The traceback as Python prints it; of a long one, the end, where the error is."""
    text = "".join(traceback.format_exception(unwrap(error)))
    return text if len(text) <= limit else "...\n" + text[-limit:]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """Base of the events about the child at ``path``."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(LifecycleEvent):
    """The child is ready. ``restarts`` counts the starts after its first."""

    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed(LifecycleEvent):
    """The child failed with ``error``. It is restarted in ``delay`` seconds; None means never."""

    error: BaseException
    dependency_unavailable: bool
    """Whether the cause is ``DEPENDENCY_UNAVAILABLE``: it does not count as a restart."""
    delay: float | None
    cause: Cause = Cause.CRASH
    message: str | None = None
    """The type of the message that was being handled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStopped(LifecycleEvent):
    """The child ended without a failure. ``killed`` says that it exceeded its shutdown limit."""

    killed: bool
    error: BaseException | None = None
    """What went wrong while it stopped."""
