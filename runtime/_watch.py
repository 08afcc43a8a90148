"""Monitors and links: which actors are notified of an end, and which end with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._address import Address
from ._errors import LinkBroken, describe
from ._exit import Cause, Exit
from ._mailbox import Down, Mailbox


class Links:
    """The monitors and links of one incarnation; they end with it."""

    __slots__ = ("_fail", "_mailbox", "_watched")

    def __init__(self, mailbox: Mailbox[Any], fail: Callable[[Exception], None]) -> None:
        self._mailbox = mailbox
        self._fail = fail
        self._watched: list[tuple[Mailbox[Any], object]] = []

    def watch(self, address: Address[Any]) -> None:
        """Queue one :class:`Down` for the own actor when the other one ends."""
        self._add_watcher(address, object(), self._mailbox.enqueue_urgent)

    def unwatch(self, address: Address[Any]) -> None:
        """Undo :meth:`watch` and :meth:`link`."""
        for mailbox, key in self._watched:
            if mailbox is address.mailbox:
                mailbox.watchers.pop(key, None)
                self._mailbox.watchers.pop(key, None)
        self._watched = [(mailbox, key) for mailbox, key in self._watched if mailbox is not address.mailbox]

    def link(self, address: Address[Any]) -> None:
        """Fail each of the two actors when the other one fails."""
        # The same key on both sides: the actor that ends first removes the other half.
        key, mine, theirs = object(), self._mailbox, address.mailbox

        def they_ended(down: Down) -> None:
            mine.watchers.pop(key, None)
            if down.exit.cause.is_failure:
                self._fail(_link_broken(down))

        def we_ended(down: Down) -> None:
            theirs.watchers.pop(key, None)
            if down.exit.cause.is_failure and theirs.fail is not None:
                theirs.fail(_link_broken(down))

        mine.watchers[key] = we_ended
        self._add_watcher(address, key, they_ended)

    def release(self) -> None:
        """Remove all monitors, as this incarnation has ended."""
        for mailbox, key in self._watched:
            # The other half of a link stays: the supervisor is about to report our end to it.
            if key not in self._mailbox.watchers:
                mailbox.watchers.pop(key, None)
        self._watched.clear()

    def _add_watcher(self, address: Address[Any], key: object, notify: Callable[[Down], None]) -> None:
        closed = address.mailbox.closed
        if closed is None:
            address.mailbox.watchers[key] = notify
            self._watched.append((address.mailbox, key))
        else:
            gone = Exit(cause=Cause.NOT_THERE)
            notify(Down(name=address.name, path=address.name, exit=gone, will_restart=False))


def _link_broken(down: Down) -> LinkBroken:
    error = down.exit.error
    reason = down.exit.cause if error is None else describe(error)
    fault = LinkBroken(f"linked actor {down.path} failed: {reason}")
    fault.__cause__ = error
    return fault
