"""Messages that supervisors understand, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from ._errors import Refusal
from ._mailbox import MailboxStatistics
from ._reply import Request

if TYPE_CHECKING:
    from ._actor import Detail
    from ._spec import ChildSpec


class ChildState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    """It failed and will be started again."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """It ended and stays so."""
    FAILED = "failed"
    """It failed and its spec says that it is not started again."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeQuery(Request[Node]):
    """The supervisor and all below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild(Request[str]):
    """Start a child and answer with its path once it is ready.

    Refused with :class:`AlreadyStarted`, :class:`MaxChildren` or :class:`StartRefused`.
    """

    spec: ChildSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateChild(Request[None]):
    """Stop a child, within its own limit, and forget it. Refused with :class:`NotFound`."""

    id: str


class AlreadyStarted(Refusal):
    """The supervisor has a child of this id (OTP's ``already_started``)."""


class MaxChildren(Refusal):
    """The supervisor has as many children as it may (Elixir's ``:max_children``)."""


class NotFound(Refusal):
    """The supervisor has no child of this id (OTP's ``not_found``)."""


class StartRefused(Refusal):
    """The child failed before it was ready; ``__cause__`` is its error."""


SupervisorMessage: TypeAlias = TreeQuery | StartChild | TerminateChild
