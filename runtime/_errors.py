"""The errors of this package, each named for the situation that the caller is in.

::

    RuntimeFault
    ├─ Refusal                the actor rejects the request and carries on
    │  ├─ SupervisorRefusal   a supervisor rejects a request; ``term`` is OTP's name for the reason
    │  │  ├─ AlreadyStarted, AlreadyPresent, MaxChildren, NotFound
    │  │  ├─ ChildRunning, ChildRestarting, DynamicSupervisor
    │  │  └─ StartRefused     the child failed before it was ready
    │  └─ NotResent           a dead letter is not kept, or cannot be delivered now
    ├─ MailboxFull            the mailbox has no room; nothing was queued
    ├─ AskFailed              the ask gets no reply
    │  ├─ AskTimeout          the deadline passed; the request is not handled later
    │  ├─ MessageDropped      a newer message took its place in a full mailbox
    │  ├─ ActorStopped        the actor ended and will not be restarted
    │  └─ ActorCrashed        the actor failed while it had the message, which may have had effects
    ├─ InvalidSpec            a child spec that can never work
    ├─ StartFailed            a child did not become ready; children started before it are stopped again
    ├─ IntensityReached       a supervisor gave up: its children crashed too often
    ├─ HandlerHung            an actor took longer over one message than its spec allows
    ├─ LinkBroken             an actor failed because an actor linked to it failed
    ├─ UnexpectedExit         a permanent actor ended without an error
    ├─ NoSuchLetter           no dead letter with this number is kept
    └─ SubscriberLagged       a subscription ended because its subscriber fell behind
"""

from __future__ import annotations

from typing import ClassVar, cast


class RuntimeFault(Exception):
    """Root of all errors that this package raises."""


class Refusal(RuntimeFault):
    """Raised in ``handle`` to answer an ask with an error; the actor carries on."""


# Refusals of a supervisor


class SupervisorRefusal(Refusal):
    """A supervisor rejects a request; ``term`` is OTP's name for the reason."""

    term: ClassVar[str]


class AlreadyStarted(SupervisorRefusal):
    """The supervisor has a running child of this id."""

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
    """The child is about to be restarted; terminate it first."""

    term = "restarting"


class DynamicSupervisor(SupervisorRefusal):
    """A dynamic supervisor removes children that ended, so they cannot be restarted or deleted."""

    term = "simple_one_for_one"


class StartRefused(SupervisorRefusal):
    """The child failed before it was ready; ``__cause__`` is its error."""

    term = "start_error"


class NotResent(Refusal):
    """The dead letter is not kept, or cannot be delivered now."""


# Sending and asking


class MailboxFull(RuntimeFault):
    """The mailbox has no room, and the call does not wait for it."""


class AskFailed(RuntimeFault):
    """An ask ended without the actor's own reply."""


class AskTimeout(AskFailed):
    """The deadline of an ask passed. A message still in the mailbox then is dropped unhandled."""


class MessageDropped(AskFailed):
    """The message was dropped unhandled to make room for a newer one, as its mailbox's policy says."""


class ActorStopped(AskFailed):
    """The actor was stopped for good; the message will not be handled."""


class ActorCrashed(AskFailed):
    """The actor failed while it had the message; ``__cause__`` is its error.

    The effect of the message is unknown: repeat only what is idempotent.
    """


# Starting, running and ending


class InvalidSpec(RuntimeFault):
    """A child spec is refused before anything starts; the text names the child and the value."""

    def __init__(self, sentence: str, *, term: str = "invalid_child_spec") -> None:
        super().__init__(sentence)
        self.term = term
        """What OTP's ``supervisor:check_childspecs`` calls it."""


class StartFailed(RuntimeFault):
    """A child did not become ready. ``path`` names it and ``__cause__`` is its error."""

    def __init__(self, path: str, cause: BaseException, *, dependency_unavailable: bool) -> None:
        super().__init__(f"{path} did not start: {cause}")
        self.path = path
        self.dependency_unavailable = dependency_unavailable
        """Whether the cause is one of the actor's ``dependency_errors``."""
        self.__cause__ = cause


class IntensityReached(RuntimeFault):
    """Children of one supervisor crashed more often than its restart intensity allows."""


class HandlerHung(RuntimeFault):
    """An actor took longer over one message than its ``handle_timeout``; ``stack`` shows where it waited."""

    def __init__(self, sentence: str, stack: str) -> None:
        super().__init__(sentence)
        self.stack = stack
        self.add_note(stack)


class LinkBroken(RuntimeFault):
    """An actor that this one is linked to failed; ``__cause__`` is its error."""


class UnexpectedExit(RuntimeFault):
    """A permanent actor ended without an error and without a request to stop."""


class NoSuchLetter(RuntimeFault):
    """No dead letter of this number is kept (any more)."""


class SubscriberLagged(RuntimeFault):
    """A subscriber fell further behind than its subscription allows; it gets no more events."""


# Exception groups


def unwrap(error: BaseException) -> BaseException:
    """The error itself where an exception group wraps just one, however deep."""
    while len(inner := _inner_errors(error)) == 1:
        error = inner[0]
    return error


def flatten(error: BaseException) -> list[BaseException]:
    """All errors in a group, depth first; an error that is no group is returned alone."""
    inner = _inner_errors(error)
    return [leaf for each in inner for leaf in flatten(each)] if inner else [error]


def describe(error: BaseException) -> str:
    """One line for people: the error's own sentence, or its type where it has none."""
    return "; ".join(str(leaf) or type(leaf).__name__ for leaf in flatten(error))


def _inner_errors(error: BaseException) -> tuple[BaseException, ...]:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()
