"""Where to send messages: a name with a mailbox, made before its actor and valid through every restart."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

import trio

from ._errors import AskTimeout, InvalidSpec, MailboxFull
from ._mailbox import Envelope, Mailbox
from ._reply import Deferred, Request

M = TypeVar("M")
R = TypeVar("R")


class Address(Generic[M]):
    """The only way to reach an actor.

    The composition root makes addresses first and hands them to whoever needs
    them, so that the tree can be written down as one literal and actors never
    hold each other. Messages from one sender to one address arrive in order.
    That a message was queued does not mean that it will be handled.
    """

    __slots__ = ("mailbox", "name")

    def __init__(self, name: str, *, capacity: int = 64) -> None:
        if not name or "/" in name:
            raise InvalidSpec(f"an address needs a name without '/', not {name!r}")
        if capacity < 1:
            raise InvalidSpec(f"{name}: capacity must be at least 1, not {capacity}")
        self.name = name
        self.mailbox: Mailbox[M] = Mailbox(capacity)

    def __repr__(self) -> str:
        return f"<Address {self.name}>"

    def tell_nowait(self, message: M) -> None:
        """Queue a message that wants no reply.

        Raises:
          MailboxFull: there is no room.
          ActorStopped: the actor ended for good.
        """
        self.mailbox.put_nowait(Envelope(message))

    async def tell(self, message: M) -> None:
        """Queue a message that wants no reply, waiting for room.

        Yields only when the mailbox is full.

        Raises:
          ActorStopped: the actor ended for good.
        """
        await self.mailbox.put(Envelope(message))

    async def ask(self, request: Request[R], *, timeout: float) -> R:
        """Send a request and wait for its reply, at most ``timeout`` seconds in all.

        While the actor restarts the request waits in its mailbox. A request
        whose deadline has passed is not handled.

        Raises:
          AskTimeout: no reply in time. Whether it was handled is unknown when
            the actor had already begun.
          ActorStopped: the actor ended for good.
          ActorCrashed: the actor failed while it had the request.
          Refusal: the actor said no.
        """
        deadline = trio.current_time() + timeout
        deferred: Deferred[R] = Deferred(deadline)
        # A handler takes what its own message union names; the request is one of those.
        envelope = Envelope(cast("M", request), cast("Deferred[object]", deferred))
        try:
            try:
                self.mailbox.put_nowait(envelope)
            except MailboxFull:
                with trio.move_on_at(deadline) as limit:
                    await self.mailbox.put(envelope)
                if limit.cancelled_caught:
                    deferred.expire()
            return await deferred.wait()
        except AskTimeout:
            sentence = f"{self.name} gave no answer to {type(request).__name__} within {timeout:g} s"
            raise AskTimeout(sentence) from None
