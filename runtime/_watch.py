"""Monitors and links: who hears that an actor ended, and who ends with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._address import Address
from ._errors import LinkBroken, describe
from ._exit import Cause, Exit
from ._mailbox import Mailbox, Urgent


@dataclass(frozen=True, slots=True, kw_only=True)
class Down(Urgent):
    """What a monitor is told, ahead of other messages, when the actor that it watches ended."""

    name: str
    """The name of the address that was watched."""
    path: str
    exit: Exit
    returns: bool
    """Whether its supervisor starts it again; messages to it wait for that."""


class Links:
    """The monitors and links of one incarnation; they end with it."""

    __slots__ = ("_fail", "_mailbox", "_watched")

    def __init__(self, mailbox: Mailbox[Any], fail: Callable[[Exception], None]) -> None:
        self._mailbox = mailbox
        self._fail = fail
        self._watched: list[tuple[Mailbox[Any], object]] = []

    def watch(self, address: Address[Any]) -> None:
        self._hear(address, object(), self._mailbox.announce)

    def unwatch(self, address: Address[Any]) -> None:
        for mailbox, key in self._watched:
            if mailbox is address.mailbox:
                mailbox.watchers.pop(key, None)
                self._mailbox.watchers.pop(key, None)
        self._watched = [(mailbox, key) for mailbox, key in self._watched if mailbox is not address.mailbox]

    def link(self, address: Address[Any]) -> None:
        # The same key on both sides: whichever ends first takes the other half away.
        key, mine, theirs = object(), self._mailbox, address.mailbox

        def they_ended(down: Down) -> None:
            mine.watchers.pop(key, None)
            if down.exit.cause.is_failure:
                self._fail(broken(down))

        def we_ended(down: Down) -> None:
            theirs.watchers.pop(key, None)
            if down.exit.cause.is_failure and theirs.fail is not None:
                theirs.fail(broken(down))

        mine.watchers[key] = we_ended
        self._hear(address, key, they_ended)

    def release(self) -> None:
        """This incarnation has ended: it wants to hear of nobody."""
        for mailbox, key in self._watched:
            # The other half of a link stays: the supervisor is about to report our end to it.
            if key not in self._mailbox.watchers:
                mailbox.watchers.pop(key, None)
        self._watched.clear()

    def _hear(self, address: Address[Any], key: object, tell: Callable[[Down], None]) -> None:
        closed = address.mailbox.closed
        if closed is None:
            address.mailbox.watchers[key] = tell
            self._watched.append((address.mailbox, key))
        else:
            gone = Exit(cause=Cause.NOT_THERE)
            tell(Down(name=address.name, path=address.name, exit=gone, returns=False))


def broken(down: Down) -> LinkBroken:
    """The failure of an actor whose peer ended like this."""
    error = down.exit.error
    reason = down.exit.cause if error is None else describe(error)
    fault = LinkBroken(f"{down.path}, to which it is linked, failed: {reason}")
    fault.__cause__ = error
    return fault
