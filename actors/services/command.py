"""What to run as a child process, and how to end it. `process.py` does it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .identity import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """One way to ask a process to end, and how long to wait for that."""

    signal: signal.Signals
    grace: float
    """Seconds."""
    group: bool = False
    """Ask its whole process group, not it alone; what it started has as long, if it holds the output open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how to end it."""

    name: str
    """For the log and for errors."""
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """The whole environment; None passes ours on."""
    cwd: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    """Written at the start; may hold secrets and is never logged. None gives /dev/null."""
    hold_stdin: bool = True
    """Keep stdin open after that, so that its end tells the child that we are gone."""
    merged: bool = False
    """Its stderr goes where its stdout does: lines keep their order, and all are logged as stdout."""
    identity: Identity | None = None
    """Another user to run as, where we are root."""
    stop: tuple[StopStep, ...] = (StopStep(signal=signal.SIGTERM, grace=3.0),)
    """Tried in order; SIGKILL to its whole process group follows."""
