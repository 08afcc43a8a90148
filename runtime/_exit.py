"""Why something ended, in words that everybody who hears of it shares."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from ._errors import HandlerHung, plain


class Cause(StrEnum):
    """The class of an end; what a supervisor, a monitor and the ledger decide by."""

    NORMAL = "normal"
    """It ended by itself, without an error."""
    SHUTDOWN = "shutdown"
    """It was asked to stop, or its supervisor shut down."""
    KILLED = "killed"
    """It outlasted its time to stop, or its spec gives it none."""
    CRASH = "crash"
    """An error of its own: a bug."""
    ABSENCE = "absence"
    """An error that it declared to mean that something outside is away."""
    HUNG = "hung"
    """It took longer over one message than its spec allows."""
    LINK = "link"
    """An actor that it is linked to failed."""
    GAVE_UP = "gave up"
    """A supervisor whose children crashed too often."""
    NOT_THERE = "not there"
    """It had ended before anybody watched it (OTP's ``noproc``)."""

    @property
    def is_failure(self) -> bool:
        """Whether a transient child comes back after it, and a link carries it on."""
        return self not in (Cause.NORMAL, Cause.SHUTDOWN)

    @property
    def spends_restart(self) -> bool:
        """Whether it counts against the supervisor's intensity: an absent dependency is nobody's bug."""
        return self is not Cause.ABSENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How one incarnation ended."""

    cause: Cause
    error: BaseException | None = None


def traceback_hash(error: BaseException) -> str:
    """The same for two errors that came from the same place: their type, and the lines passed through."""
    error = plain(error)
    digest = hashlib.sha256(type(error).__qualname__.encode())
    if isinstance(error, HandlerHung):
        digest.update(error.stack.encode())
    for frame in traceback.extract_tb(error.__traceback__):
        # The file's name only, so that two installations agree.
        digest.update(f"\0{PurePath(frame.filename).name}:{frame.name}:{frame.lineno}".encode())
    return digest.hexdigest()[:12]


def traceback_text(error: BaseException, *, limit: int = 8000) -> str:
    """The traceback as Python prints it; of a long one, the end, where the error is."""
    text = "".join(traceback.format_exception(plain(error)))
    return text if len(text) <= limit else "...\n" + text[-limit:]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """Something happened to the child at ``path``."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStarted(LifecycleEvent):
    """The child is ready. ``restarts`` counts the starts after its first."""

    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed(LifecycleEvent):
    """The child failed with ``error``. It starts again in ``delay`` seconds; None means never."""

    error: BaseException
    absence: bool
    """Something outside was away: no restart was spent."""
    delay: float | None
    cause: Cause = Cause.CRASH
    message: str | None = None
    """The type of the message in hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStopped(LifecycleEvent):
    """The child ended without a failure. ``killed`` says that it outlasted its time limit."""

    killed: bool
    error: BaseException | None = None
    """What went wrong while it was stopped."""
