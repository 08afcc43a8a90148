"""The tree as it stands, for those who look at it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ._mailbox import MailboxStatistics
from ._strategy import Budget

if TYPE_CHECKING:
    from ._actor import Detail
    from ._exit import Cause


class ChildState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    """It ended, or was stopped beside one that did, and will be started again."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It ended and stays so."""
    FAILED = "failed"
    """It failed, and its supervisor has not decided about it yet, or was told not to."""


class Kind(StrEnum):
    WORKER = "worker"
    SUPERVISOR = "supervisor"
    DYNAMIC = "dynamic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One child as it stands now, with what is below it. Times are seconds."""

    id: str
    path: str
    kind: Kind
    state: ChildState
    restarts: int
    last_error: str | None
    uptime: float | None
    """Since this incarnation was ready."""
    retry_in: float | None
    """Until the next start, in backoff."""
    mailbox: MailboxStatistics
    detail: dict[str, Detail]
    children: tuple[Node, ...] = ()
    last_cause: Cause | None = None
    """Why its last incarnation ended."""
    message: str | None = None
    """The type of the message that it handles now."""
    busy_for: float | None = None
    """Since it began with that."""
    next_delay: float | None = None
    """How long it would wait for its restart, at least, if it failed now; None if it would stay down."""
    crashes_to_exit: int | None = None
    """Crashes of it in quick succession that would end the process; None when none ever would."""
    budget: Budget | None = None
    """A supervisor's restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildInfo:
    """One line of OTP's ``which_children``."""

    id: str
    path: str
    kind: Kind
    state: ChildState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCounts:
    """OTP's ``count_children``."""

    specs: int
    """Children, dead or alive."""
    active: int
    """Those that run."""
    supervisors: int
    workers: int
