"""Rate limit, working hours and error pause for the requests to a portal.

`PortalThrottle` applies the `[politeness]` section of one definition. Its counters belong to the host: all
sessions of this process on one host share them, whatever definition or engine they use.
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
    """The `[politeness]` section of a definition. The defaults limit nothing."""

    __pydantic_config__ = STRICT

    requests_per_second: Rate = 0.0
    """For all sessions on the host together, redirects included. 0 means no limit."""
    working_hours: Hours = ""
    """For example "Mon-Fri 08:00-18:00"; "" means always."""
    timezone: Zone = "UTC"
    """Time zone of `working_hours`."""
    pause_after_errors: Count = 0
    """Consecutive failures, over all sessions on the host, that start a pause. 0 means never."""
    pause_seconds: Seconds = 60.0
    """Length of a pause."""

    def hours(self) -> WorkingHours | None:
        """Return the working hours; None means that the portal may be used at any time."""
        if not self.working_hours:
            return None
        return WorkingHours(spans=parse_hours(self.working_hours), zone=ZoneInfo(self.timezone))


class HostState:
    """Request and failure counters of one host, shared by all sessions on it."""

    def __init__(self) -> None:
        self.next_request_at = 0.0
        """Earliest time of the next request, on trio's clock."""
        self.queue = trio.Lock()
        """Held by the task whose request is next. The lock is fair, so requests leave in order of arrival."""
        self.failures = 0
        """Consecutive failures."""
        self.paused_until = 0.0


_hosts: trio.lowlevel.RunVar[dict[str, HostState]] = trio.lowlevel.RunVar("portal hosts")


def host_state(base_url: str) -> HostState:
    """Return the state of the host in a URL, shared by everything in this trio run."""
    try:
        hosts = _hosts.get()
    except LookupError:
        hosts = dict[str, HostState]()
        _hosts.set(hosts)
    return hosts.setdefault(urlsplit(base_url).netloc.casefold(), HostState())


class Slot(Protocol):
    """A limited resource that a request needs besides its turn at the host: a place in the browser."""

    async def acquire(self) -> None:
        """Wait until it is free. Returns at once if it is already held."""
        ...

    def release(self) -> None:
        """Free it. Does nothing if it is not held."""
        ...


class RequestTicket:
    """A request in progress."""

    def __init__(self) -> None:
        self.redirects = 0
        """Number of redirects that followed. Each delays the next request as a request of its own does."""


class PortalThrottle:
    """Admits a session's requests to its portal, within the limits of a `Politeness`."""

    def __init__(
        self,
        base_url: str,
        politeness: Politeness,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._host = host_state(base_url)
        self._politeness = politeness
        self._hours = politeness.hours()
        self._now = now

    @contextlib.asynccontextmanager
    async def acquire(self, slot: Slot | None = None) -> AsyncGenerator[RequestTicket, None]:
        """Wait for this request's turn, then run the block as the request. Requests leave in FIFO order.

        The slot, if any, is released while this waits for the rate limit, and acquired just before the
        block. It stays acquired afterwards.

        Raises:
            PortalClosed, PortalPaused: no request may be made now.
        """
        self._check_open()
        await self._wait_for_turn(slot)
        self._check_open()  # the hours may have ended, or a pause begun, during the wait
        ticket = RequestTicket()
        try:
            yield ticket
        except (PortalUnavailable, OutcomeUnknown):
            self._count_failure()
            raise
        except Exception:
            # Any other error means that the portal answered.
            self._host.failures = 0
            raise
        else:
            self._host.failures = 0
        finally:
            self._host.next_request_at += ticket.redirects * self._interval

    @property
    def _interval(self) -> float:
        rate = self._politeness.requests_per_second
        return 1 / rate if rate else 0.0

    async def _wait_for_turn(self, slot: Slot | None) -> None:
        host, interval = self._host, self._interval
        if not interval:
            if slot is not None:
                await slot.acquire()
            return
        if slot is not None and (host.queue.locked() or host.next_request_at > trio.current_time()):
            slot.release()
        async with host.queue:
            while host.next_request_at > trio.current_time():  # noqa: ASYNC110 - redirects move it during the wait
                await trio.sleep_until(host.next_request_at)
            if slot is not None:
                # Acquired inside the queue: requests that waited for slots must not leave all at once.
                await slot.acquire()
            host.next_request_at = max(host.next_request_at, trio.current_time()) + interval

    def _check_open(self) -> None:
        opens_at = self._hours.next_opening(self._now()) if self._hours else None
        if opens_at is not None:
            raise PortalClosed(opens_at)
        if (left := self._host.paused_until - trio.current_time()) > 0:
            raise PortalPaused(self._host.failures, left)

    def _count_failure(self) -> None:
        host, limit = self._host, self._politeness.pause_after_errors
        host.failures += 1
        # A pause does not reset the count: the first failure after it starts the next pause.
        if limit and host.failures >= limit:
            host.paused_until = trio.current_time() + self._politeness.pause_seconds
