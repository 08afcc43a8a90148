"""What can go wrong between actors, named for what the caller should think.

::

    RuntimeFault
    ├─ Refusal            the actor understood and says no; it lives on
    ├─ MailboxFull        no room now; nothing was queued
    ├─ AskFailed          no answer will come for this ask
    │  ├─ AskTimeout      the deadline passed; it is not handled later
    │  ├─ MessageDropped  a newer message took its place in a full mailbox
    │  ├─ ActorStopped    the actor ended and will not come back
    │  └─ ActorCrashed    the actor failed while it had the message: handled or not, nobody knows
    ├─ InvalidSpec        a child spec that can never work
    ├─ StartFailed        a child was not ready; what had started before it was stopped again
    ├─ IntensityReached   a supervisor gave up: too many own crashes of its children
    ├─ HandlerHung        an actor took longer over one message than its spec allows
    ├─ LinkBroken         an actor failed because one that it is linked to did
    ├─ EndedByItself      an actor that should always run ended without an error
    └─ TooSlow            a subscription ended because its listener fell behind
"""

from __future__ import annotations

from typing import cast


class RuntimeFault(Exception):
    """Root of all errors that this package raises."""


class Refusal(RuntimeFault):
    """Raised in ``handle`` to answer an ask with an error; the actor carries on."""


class MailboxFull(RuntimeFault):
    """The mailbox has no room and the caller did not want to wait."""


class AskFailed(RuntimeFault):
    """An ask ended without the actor's own answer."""


class AskTimeout(AskFailed):
    """The deadline of an ask passed. A message still in the mailbox then is dropped unhandled."""


class MessageDropped(AskFailed):
    """The message was dropped unhandled to make room for a newer one, as its mailbox' policy says."""


class ActorStopped(AskFailed):
    """The actor was stopped for good, so nobody will read the message."""


class ActorCrashed(AskFailed):
    """The actor failed while it had the message; ``__cause__`` is its error.

    The effect of the message is unknown: repeat only what is idempotent.
    """


class InvalidSpec(RuntimeFault):
    """A child spec is refused before anything starts; the text names the child and the value."""

    def __init__(self, sentence: str, *, term: str = "invalid_child_spec") -> None:
        super().__init__(sentence)
        self.term = term
        """What OTP's ``supervisor:check_childspecs`` calls it."""


class StartFailed(RuntimeFault):
    """A child did not become ready. ``path`` names it and ``__cause__`` is its error."""

    def __init__(self, path: str, cause: BaseException, *, absence: bool) -> None:
        super().__init__(f"{path} did not start: {cause}")
        self.path = path
        self.absence = absence
        self.__cause__ = cause


class IntensityReached(RuntimeFault):
    """Children of one supervisor crashed more often than its restart intensity allows."""


class HandlerHung(RuntimeFault):
    """An actor took longer over one message than its ``handle_timeout``; ``stack`` shows where it stood."""

    def __init__(self, sentence: str, stack: str) -> None:
        super().__init__(sentence)
        self.stack = stack
        self.add_note(stack)


class LinkBroken(RuntimeFault):
    """An actor that this one is linked to failed; ``__cause__`` is its error."""


class UnexpectedExit(RuntimeFault):
    """A permanent actor ended although nobody asked it to."""


class SubscriberLagged(RuntimeFault):
    """A listener fell further behind than its subscription allows, and hears no more."""


def plain(error: BaseException) -> BaseException:
    """The error itself where an exception group wraps just one, however deep."""
    while len(inner := _inside(error)) == 1:
        error = inner[0]
    return error


def leaves(error: BaseException) -> list[BaseException]:
    """All errors in a group, depth first; a lone error is its own leaf."""
    inner = _inside(error)
    return [leaf for each in inner for leaf in leaves(each)] if inner else [error]


def describe(error: BaseException) -> str:
    """One line for people: the error's own sentence, or its type where it has none."""
    return "; ".join(str(leaf) or type(leaf).__name__ for leaf in leaves(error))


def _inside(error: BaseException) -> tuple[BaseException, ...]:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()
