"""Actors under supervision, on trio and the standard library.

An :class:`Actor` handles one message after the other from its mailbox, in a
task of its own; a supervisor starts it, restarts it with backoff when it fails
and stops it in order. See README.md in this folder.
"""

from __future__ import annotations

from ._actor import Actor, Context, Detail
from ._address import Address
from ._backoff import Backoff
from ._bus import Bus, Subscription, WhenSlow
from ._control import (
    AlreadyPresent,
    AlreadyStarted,
    ChildCountQuery,
    ChildrenQuery,
    ChildRestarting,
    ChildRunning,
    ChildSpecQuery,
    DeadLettersQuery,
    DeleteChild,
    DynamicSupervisor,
    LedgerQuery,
    LoadQuery,
    MaxChildren,
    NotFound,
    NotResent,
    ResendDeadLetter,
    RestartChild,
    StartChild,
    StartRefused,
    SupervisorMessage,
    SupervisorRefusal,
    TerminateChild,
    TreeQuery,
)
from ._dead_letters import DeadLetter, DeadLetters, NoSuchLetter, Repeatable, Undelivered
from ._errors import (
    ActorCrashed,
    ActorStopped,
    AskFailed,
    AskTimeout,
    HandlerHung,
    IntensityReached,
    InvalidSpec,
    LinkBroken,
    MailboxFull,
    MessageDropped,
    Refusal,
    RuntimeFault,
    StartFailed,
    SubscriberLagged,
    UnexpectedExit,
    describe,
)
from ._exit import Cause, ChildFailed, ChildStarted, ChildStopped, Exit, LifecycleEvent, traceback_hash
from ._gc import freeze_heap
from ._ledger import Ledger, Outcome, RestartEntry, RestartRecorded
from ._load import Load, LoopLag, SlowHandler
from ._mailbox import MailboxStatistics, Urgent
from ._node import ChildCounts, ChildInfo, ChildState, Kind, Node
from ._overflow import Overflow
from ._reply import Deferred, Request
from ._run import ExitCode, run, until_signal
from ._spec import AnySpec, ChildSpec, Shutdown, SupervisorSpec, check_child_specs
from ._strategy import (
    AutoShutdown,
    Budget,
    Level,
    Restart,
    RestartIntensity,
    Strategy,
    affected,
    comes_back,
    crashes_to_exit,
    shuts_down,
)
from ._system import System, open_system
from ._timers import Timer
from ._watch import Down

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "Address",
    "AlreadyPresent",
    "AlreadyStarted",
    "AnySpec",
    "AskFailed",
    "AskTimeout",
    "AutoShutdown",
    "Backoff",
    "Budget",
    "Bus",
    "Cause",
    "ChildCountQuery",
    "ChildCounts",
    "ChildFailed",
    "ChildInfo",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ChildSpecQuery",
    "ChildStarted",
    "ChildState",
    "ChildStopped",
    "ChildrenQuery",
    "Context",
    "DeadLetter",
    "DeadLetters",
    "DeadLettersQuery",
    "Deferred",
    "DeleteChild",
    "Detail",
    "Down",
    "DynamicSupervisor",
    "Exit",
    "ExitCode",
    "HandlerHung",
    "IntensityReached",
    "InvalidSpec",
    "Kind",
    "Ledger",
    "LedgerQuery",
    "Level",
    "LifecycleEvent",
    "LinkBroken",
    "Load",
    "LoadQuery",
    "LoopLag",
    "MailboxFull",
    "MailboxStatistics",
    "MaxChildren",
    "MessageDropped",
    "NoSuchLetter",
    "Node",
    "NotFound",
    "NotResent",
    "Outcome",
    "Overflow",
    "Refusal",
    "Repeatable",
    "Request",
    "ResendDeadLetter",
    "Restart",
    "RestartChild",
    "RestartEntry",
    "RestartIntensity",
    "RestartRecorded",
    "RuntimeFault",
    "Shutdown",
    "SlowHandler",
    "StartChild",
    "StartFailed",
    "StartRefused",
    "Strategy",
    "SubscriberLagged",
    "Subscription",
    "SupervisorMessage",
    "SupervisorRefusal",
    "SupervisorSpec",
    "System",
    "TerminateChild",
    "Timer",
    "TreeQuery",
    "Undelivered",
    "UnexpectedExit",
    "Urgent",
    "WhenSlow",
    "affected",
    "check_child_specs",
    "comes_back",
    "crashes_to_exit",
    "describe",
    "freeze_heap",
    "open_system",
    "run",
    "shuts_down",
    "traceback_hash",
    "until_signal",
]
