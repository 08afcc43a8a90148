"""How a portal is spared: so many requests a second, only in its hours, and a pause when it is in trouble.

`PortalThrottle` keeps the rules of one definition. What it counts belongs to the host: all sessions of this
process that work there wait for each other, whatever definition or engine they use.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import trio

from .definition.field_types import STRICT, Count, Hours, Rate, Seconds, Zone
from .definition.working_hours import WorkingHours, parse_hours
from .errors import OutcomeUnknown, PortalClosed, PortalPaused, PortalUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Politeness:
    """The `[politeness]` section of a definition; without one nothing is held back."""

    __pydantic_config__ = STRICT

    requests_per_second: Rate = 0.0
    """Of all sessions on the host together, redirects included; 0 is no limit."""
    working_hours: Hours = ""
    """As in "Mon-Fri 08:00-18:00"; "" is always."""
    timezone: Zone = "UTC"
    """Of the working hours."""
    pause_after_errors: Count = 0
    """Failures in a row, of all sessions on the host, after which it is left alone; 0 is never."""
    pause_seconds: Seconds = 60.0

    def hours(self) -> WorkingHours | None:
        """Return the working hours, or None where there are no others."""
        if not self.working_hours:
            return None
        return WorkingHours(spans=parse_hours(self.working_hours), zone=ZoneInfo(self.timezone))


class Host:
    """What is known of one host, by whoever works there."""

    def __init__(self) -> None:
        self.free_at = 0.0
        """When the next request may leave, on trio's clock."""
        self.line = trio.Lock()
        """Held by who is next; the others stand behind, first come, first served."""
        self.failures = 0
        """In a row."""
        self.paused_until = 0.0


_hosts: trio.lowlevel.RunVar[dict[str, Host]] = trio.lowlevel.RunVar("portal hosts")


def host_of(base_url: str) -> Host:
    """Return what this run of trio knows of a host."""
    try:
        hosts = _hosts.get()
    except LookupError:
        hosts = dict[str, Host]()
        _hosts.set(hosts)
    return hosts.setdefault(urlsplit(base_url).netloc.casefold(), Host())


class Slot(Protocol):
    """What a request takes up besides the host, and others want as well: room in the browser."""

    async def take(self) -> None:
        """Wait for it; whoever has it already goes on."""
        ...

    def give_up(self) -> None:
        """Let others have it. Does nothing where it is not taken."""
        ...


class RequestTicket:
    """A request under way."""

    def __init__(self) -> None:
        self.redirects = 0
        """How many further requests it led to; they are paid for afterwards."""


class PortalThrottle:
    """Lets a session ask its portal for a page when that is polite."""

    def __init__(
        self,
        base_url: str,
        politeness: Politeness,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._host = host_of(base_url)
        self._politeness = politeness
        self._hours = politeness.hours()
        self._wall = wall

    @contextlib.asynccontextmanager
    async def visit(self, slot: Slot | None = None) -> AsyncGenerator[RequestTicket, None]:
        """Wait until it is our turn, then ask; requests leave in the order in which they came here.

        With a slot, that is taken when everything else is ready, and given up while it is not. It stays
        taken afterwards.

        Raises:
            PortalClosed, PortalPaused: nothing may be asked now.
        """
        self._refuse()
        await self._wait(slot)
        self._refuse()  # the hours may have ended, or the portal begun to fail, while we waited
        visit = RequestTicket()
        try:
            yield visit
        except (PortalUnavailable, OutcomeUnknown):
            self._failed()
            raise
        except Exception:
            # Whatever it is, there was an answer.
            self._host.failures = 0
            raise
        else:
            self._host.failures = 0
        finally:
            self._host.free_at += visit.redirects * self._interval

    @property
    def _interval(self) -> float:
        rate = self._politeness.requests_per_second
        return 1 / rate if rate else 0.0

    async def _wait(self, slot: Slot | None) -> None:
        host, interval = self._host, self._interval
        if not interval:
            if slot is not None:
                await slot.take()
            return
        if slot is not None and (host.line.locked() or host.free_at > trio.current_time()):
            slot.give_up()
        async with host.line:
            while host.free_at > trio.current_time():  # noqa: ASYNC110 - redirects still move it
                await trio.sleep_until(host.free_at)
            if slot is not None:
                # Whoever is behind us waits for this, too: all at once would be more than the rate.
                await slot.take()
            host.free_at = max(host.free_at, trio.current_time()) + interval

    def _refuse(self) -> None:
        opening = self._hours.opening(self._wall()) if self._hours else None
        if opening is not None:
            raise PortalClosed(opening)
        if (left := self._host.paused_until - trio.current_time()) > 0:
            raise PortalPaused(self._host.failures, left)

    def _failed(self) -> None:
        host, limit = self._host, self._politeness.pause_after_errors
        host.failures += 1
        # Not begun anew by a pause: the first failure after it means another one.
        if limit and host.failures >= limit:
            host.paused_until = trio.current_time() + self._politeness.pause_seconds
