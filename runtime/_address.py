"""Addresses: a name with a mailbox, made before its actor and valid through every restart."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

import trio

from ._errors import AskTimeout, InvalidSpec
from ._mailbox import Mailbox
from ._overflow import Overflow, make_mailbox
from ._reply import Deferred, Request

M = TypeVar("M")
R = TypeVar("R")


class Address(Generic[M]):
    """The only way to reach an actor.

    The composition root makes addresses first and passes them to the actors
    that need them, so that the tree is one literal and actors never hold each
    other. Messages from one sender to one address arrive in order, except
    :class:`Urgent` ones, which go ahead. A queued message may still not be
    handled; then it becomes a dead letter.
    """

    __slots__ = ("mailbox", "name")

    def __init__(
        self,
        name: str,
        *,
        capacity: int = 64,
        overflow: Overflow = Overflow.WAIT,
        key: Callable[[M], Hashable] | None = None,
    ) -> None:
        if not name or "/" in name:
            raise InvalidSpec(f"an address needs a name without '/', not {name!r}")
        if capacity < 1:
            raise InvalidSpec(f"{name}: capacity must be at least 1, not {capacity}")
        self.name = name
        self.mailbox: Mailbox[M] = make_mailbox(name, capacity, overflow, key)

    def __repr__(self) -> str:
        return f"<Address {self.name}>"

    def tell_nowait(self, message: M) -> None:
        """Queue a message without a reply.

        Raises:
          MailboxFull: there is no room.
          ActorStopped: the actor ended for good.
        """
        if not self.mailbox.offer(message, None):
            raise self.mailbox.full()

    async def tell(self, message: M) -> None:
        """Queue a message without a reply; with the policy ``wait``, as soon as there is room.

        Yields only when the mailbox is full, and then waits until there is room,
        without a limit; put ``trio.fail_after`` around it to set one.

        Raises:
          MailboxFull: there is no room, and the policy is ``reject``.
          ActorStopped: the actor ended for good.
        """
        if not self.mailbox.offer(message, None):
            await self.mailbox.wait_for_room(message, None)

    async def ask(self, request: Request[R], *, timeout: float) -> R:
        """Send a request and wait for its reply, at most ``timeout`` seconds in all.

        While the actor restarts the request waits in its mailbox. A request
        whose deadline has passed is not handled.

        Raises:
          AskTimeout: no reply in time. If the actor had already begun, it may or
            may not have handled the request.
          MailboxFull: there is no room, and the policy is ``reject``.
          MessageDropped: newer messages needed its room, and the policy is ``drop_oldest``.
          ActorStopped: the actor ended for good.
          ActorCrashed: the actor failed while it had the request.
          Refusal: the actor rejected the request.
        """
        mailbox = self.mailbox
        deadline = mailbox.clock() + timeout
        deferred: Deferred[R] = Deferred(deadline)
        # A handler takes what its own message union names; the request is one of those.
        message, reply = cast("M", request), cast("Deferred[object]", deferred)
        try:
            if not mailbox.offer(message, reply):
                with trio.move_on_at(deadline) as limit:
                    await mailbox.wait_for_room(message, reply)
                if limit.cancelled_caught:
                    deferred.expire()
            return await deferred.wait()
        except AskTimeout:
            sentence = f"{self.name} gave no answer to {type(request).__name__} within {timeout:g} s"
            raise AskTimeout(sentence) from None
