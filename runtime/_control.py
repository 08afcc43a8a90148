"""Messages that supervisors understand, and the refusals they answer with.

Each request is named after what it does; its docstring names OTP's function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from ._dead_letters import DeadLetter
from ._errors import Refusal
from ._ledger import RestartEntry
from ._load import Load
from ._mailbox import Urgent
from ._node import ChildCounts, ChildInfo, Node
from ._reply import Request

if TYPE_CHECKING:
    from ._spec import AnySpec


class SupervisorRefusal(Refusal):
    """What a supervisor does not do; ``term`` is OTP's name for it."""

    term: ClassVar[str]


class AlreadyStarted(SupervisorRefusal):
    """The supervisor has a child of this id."""

    term = "already_started"


class AlreadyPresent(SupervisorRefusal):
    """The supervisor has a child of this id, which is not running; restart or delete it."""

    term = "already_present"


class MaxChildren(SupervisorRefusal):
    """The supervisor has as many children as it may (Elixir's ``:max_children``)."""

    term = "max_children"


class NotFound(SupervisorRefusal):
    """The supervisor has no child of this id."""

    term = "not_found"


class ChildRunning(SupervisorRefusal):
    """The child runs; terminate it first."""

    term = "running"


class ChildRestarting(SupervisorRefusal):
    """The child is about to be started again; terminate it first."""

    term = "restarting"


class DynamicSupervisor(SupervisorRefusal):
    """A dynamic supervisor forgets children that ended, so that they cannot be restarted or deleted."""

    term = "simple_one_for_one"


class StartRefused(SupervisorRefusal):
    """The child failed before it was ready; ``__cause__`` is its error."""

    term = "start_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeQuery(Request[Node], Urgent):
    """The supervisor and all below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild(Request[str]):
    """Start one more child, the last in order, and answer with its path once it is ready (``start_child``).

    Refused with :class:`AlreadyStarted`, :class:`AlreadyPresent`,
    :class:`MaxChildren` or :class:`StartRefused`; then the spec is not kept.
    """

    spec: AnySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateChild(Request[None]):
    """Stop a child, within its own limit (``terminate_child``).

    Its spec is kept for a later :class:`RestartChild`, unless the child is
    temporary or the supervisor dynamic. Refused with :class:`NotFound`.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartChild(Request[str]):
    """Start a child again that was terminated or ended, and answer when it is ready (``restart_child``).

    Refused with :class:`NotFound`, :class:`ChildRunning`, :class:`ChildRestarting`,
    :class:`DynamicSupervisor` or :class:`StartRefused`; then it stays down.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteChild(Request[None]):
    """Forget a child that is not running (``delete_child``).

    Refused with :class:`NotFound`, :class:`ChildRunning`, :class:`ChildRestarting`
    or :class:`DynamicSupervisor`.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildrenQuery(Request[tuple[ChildInfo, ...]], Urgent):
    """The children in start order (``which_children``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCountQuery(Request[ChildCounts], Urgent):
    """How many children there are (``count_children``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpecQuery(Request["AnySpec"], Urgent):
    """The spec of a child (``get_childspec``). Refused with :class:`NotFound`."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery(Request[tuple[RestartEntry, ...]], Urgent):
    """The last failures in the whole tree, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersQuery(Request[tuple[DeadLetter, ...]], Urgent):
    """What was not handled in the whole tree, those in quarantine last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendDeadLetter(Request[None], Urgent):
    """Queue a dead letter again. Refused with :class:`NotResent`."""

    number: int


class NotResent(Refusal):
    """The letter is not kept, or cannot be delivered now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadQuery(Request[Load], Urgent):
    """How late the event loop is, and the slowest handlers."""


SupervisorMessage: TypeAlias = (
    TreeQuery
    | StartChild
    | TerminateChild
    | RestartChild
    | DeleteChild
    | ChildrenQuery
    | ChildCountQuery
    | ChildSpecQuery
    | LedgerQuery
    | DeadLettersQuery
    | ResendDeadLetter
    | LoadQuery
)
