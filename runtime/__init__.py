"""Actors under supervision, on trio and the standard library.

An :class:`Actor` handles one message after the other from its mailbox, in a
task of its own; a supervisor starts it, restarts it with backoff when it fails
and stops it in order. See README.md in this folder.
"""

from __future__ import annotations

from ._actor import Actor, Context, Detail
from ._address import Address
from ._backoff import Backoff
from ._bus import Bus, Subscription
from ._control import (
    AlreadyStarted,
    ChildState,
    Kind,
    MaxChildren,
    Node,
    NotFound,
    StartChild,
    StartRefused,
    SupervisorMessage,
    TerminateChild,
    TreeQuery,
)
from ._errors import (
    ActorCrashed,
    ActorStopped,
    AskFailed,
    AskTimeout,
    IntensityReached,
    InvalidSpec,
    MailboxFull,
    Refusal,
    RuntimeFault,
    StartFailed,
    describe,
)
from ._events import ChildFailed, ChildStarted, ChildStopped, LifecycleEvent
from ._intensity import RestartIntensity
from ._mailbox import MailboxStatistics
from ._reply import Deferred, Request
from ._spec import ChildSpec, Restart, SupervisorSpec
from ._system import System, open_system

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorStopped",
    "Address",
    "AlreadyStarted",
    "AskFailed",
    "AskTimeout",
    "Backoff",
    "Bus",
    "ChildFailed",
    "ChildSpec",
    "ChildStarted",
    "ChildState",
    "ChildStopped",
    "Context",
    "Deferred",
    "Detail",
    "IntensityReached",
    "InvalidSpec",
    "Kind",
    "LifecycleEvent",
    "MailboxFull",
    "MailboxStatistics",
    "MaxChildren",
    "Node",
    "NotFound",
    "Refusal",
    "Request",
    "Restart",
    "RestartIntensity",
    "RuntimeFault",
    "StartChild",
    "StartFailed",
    "StartRefused",
    "Subscription",
    "SupervisorMessage",
    "SupervisorSpec",
    "System",
    "TerminateChild",
    "TreeQuery",
    "describe",
    "open_system",
]
