"""Rate limit, working hours and error pauses, in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from actors.portals.browser.shared_browser import PageSlot
from actors.portals.errors import OutcomeUnknown, PageChanged, PortalClosed, PortalPaused, PortalUnavailable
from actors.portals.politeness import Politeness, PortalThrottle

SITE = "https://portal.example"


async def request(throttle: PortalThrottle, *, redirects: int = 0, error: Exception | None = None) -> float:
    """Make a request and return the time at which it left."""
    async with throttle.acquire() as ticket:
        at = trio.current_time()
        ticket.redirects = redirects
        if error is not None:
            raise error
    return at


async def test_the_defaults_limit_nothing(autojump_clock: MockClock):
    """A hundred requests leave at once."""
    throttle = PortalThrottle(SITE, Politeness())
    began = trio.current_time()
    for _ in range(100):
        assert await request(throttle) == began


async def test_sessions_on_one_host_share_its_rate_in_order_of_arrival(autojump_clock: MockClock):
    """Four sessions at two requests per second: one request each half second, in round-robin order."""
    left: list[tuple[float, int]] = []
    began = trio.current_time()

    async def session(number: int) -> None:
        throttle = PortalThrottle(SITE, Politeness(requests_per_second=2))
        for _ in range(5):
            at = await request(throttle)
            left.append((at - began, number))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(session, number)
    times = [at for at, _ in sorted(left)]
    assert times == pytest.approx([step / 2 for step in range(20)])
    order = [number for _, number in sorted(left)]
    assert all(set(order[turn : turn + 4]) == {0, 1, 2, 3} for turn in range(0, 20, 4))


async def test_hosts_have_separate_rates(autojump_clock: MockClock):
    """Host names are compared without regard to case."""
    slow = Politeness(requests_per_second=0.1)
    began = trio.current_time()
    await request(PortalThrottle(SITE, slow))
    assert await request(PortalThrottle("https://other.example", slow)) == began
    assert await request(PortalThrottle("https://PORTAL.example/sub", slow)) == pytest.approx(began + 10)


async def test_redirects_count_as_requests(autojump_clock: MockClock):
    """After a page that took three requests, the next one waits for three intervals."""
    throttle = PortalThrottle(SITE, Politeness(requests_per_second=1))
    began = trio.current_time()
    await request(throttle, redirects=2)
    assert await request(throttle) == pytest.approx(began + 3)


async def test_a_cancelled_wait_does_not_delay_the_next_request(autojump_clock: MockClock):
    """Its turn passes to the next task."""
    throttle = PortalThrottle(SITE, Politeness(requests_per_second=1))
    began = trio.current_time()
    await request(throttle)
    with trio.move_on_after(0.5) as scope:
        await request(throttle)
    assert scope.cancelled_caught
    assert await request(throttle) == pytest.approx(began + 1)


async def test_a_slot_is_released_while_waiting_for_the_rate(autojump_clock: MockClock):
    """Also a slot acquired before; it is acquired again when the request may leave."""
    limiter = trio.CapacityLimiter(1)
    throttle, mine, other = (
        PortalThrottle(SITE, Politeness(requests_per_second=0.1)),
        PageSlot(limiter),
        PageSlot(limiter),
    )
    began = trio.current_time()
    async with throttle.acquire(mine):
        assert trio.current_time() == began
    assert limiter.available_tokens == 0  # kept after the request, for what follows it

    async def work() -> None:
        await other.acquire()
        assert trio.current_time() == began
        await trio.sleep(4)
        other.release()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        async with throttle.acquire(mine):
            assert trio.current_time() == pytest.approx(began + 10)
            assert limiter.available_tokens == 0
    mine.release()
    mine.release()
    assert limiter.available_tokens == 1


async def test_a_late_slot_lets_no_requests_leave_together(autojump_clock: MockClock):
    """Requests that waited for slots still leave at the rate, in order of arrival."""
    limiter = trio.CapacityLimiter(3)
    busy = [PageSlot(limiter) for _ in range(3)]
    for slot in busy:
        await slot.acquire()
    began = trio.current_time()
    left: list[tuple[int, float]] = []

    async def session(number: int) -> None:
        slot = PageSlot(limiter)
        async with PortalThrottle(SITE, Politeness(requests_per_second=2)).acquire(slot):
            left.append((number, trio.current_time() - began))
        slot.release()

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(session, number)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        for slot in busy:
            slot.release()
    assert left == [(number, pytest.approx(10 + number / 2)) for number in range(4)]


async def test_a_cancelled_wait_for_a_slot_delays_nothing(autojump_clock: MockClock):
    """Neither the slot nor the turn at the host is lost."""
    limiter = trio.CapacityLimiter(1)
    busy, mine, polite = PageSlot(limiter), PageSlot(limiter), Politeness(requests_per_second=1)
    await busy.acquire()
    with trio.move_on_after(5) as scope:
        async with PortalThrottle(SITE, polite).acquire(mine):
            pass
    assert scope.cancelled_caught
    busy.release()
    began = trio.current_time()
    async with PortalThrottle(SITE, polite).acquire(mine):
        assert trio.current_time() == began


async def test_outside_working_hours_no_request_is_made():
    """The error says when the hours begin, in the portal's time zone."""
    polite = Politeness(working_hours="Mon-Fri 08:00-18:00", timezone="Europe/Berlin")
    now = datetime(2026, 1, 9, 17, 30, tzinfo=UTC)
    throttle = PortalThrottle(SITE, polite, now=lambda: now)
    with pytest.raises(
        PortalClosed, match="outside its working hours, until Mon 2026-01-12 08:00 CET"
    ) as caught:
        await request(throttle)
    assert caught.value.until == datetime(2026, 1, 12, 7, tzinfo=UTC)
    now = caught.value.until
    await request(throttle)


async def test_hours_that_end_during_the_wait_apply(autojump_clock: MockClock):
    """They are checked again after the wait."""
    began, opened = trio.current_time(), datetime(2026, 1, 9, 16, 59, 50, tzinfo=UTC)

    def wall_clock() -> datetime:
        return datetime.fromtimestamp(opened.timestamp() + trio.current_time() - began, UTC)

    polite = Politeness(requests_per_second=0.05, working_hours="Mon-Fri 08:00-17:00")
    throttle = PortalThrottle(SITE, polite, now=wall_clock)
    await request(throttle)
    with pytest.raises(PortalClosed):
        await request(throttle)


async def test_consecutive_failures_pause_the_portal(autojump_clock: MockClock):
    """During a pause no request is made; the first failure after it starts another pause."""
    polite = Politeness(pause_after_errors=3, pause_seconds=30)
    throttle, other = PortalThrottle(SITE, polite), PortalThrottle(SITE, polite)
    failures = [PortalUnavailable("500"), OutcomeUnknown("A", "500"), PortalUnavailable("500")]
    for error in failures:
        with pytest.raises(type(error)):
            await request(throttle, error=error)
    for paused in (throttle, other):
        with pytest.raises(PortalPaused, match="paused for 30 s after 3 consecutive failures"):
            await request(paused)
    await trio.sleep(30)
    with pytest.raises(PortalUnavailable, match="500"):
        await request(other, error=PortalUnavailable("500"))
    with pytest.raises(PortalPaused):
        await request(throttle)
    await trio.sleep(30)
    await request(throttle)
    with pytest.raises(PortalUnavailable, match="500"):
        await request(throttle, error=PortalUnavailable("500"))
    await request(throttle)


async def test_any_answer_resets_the_failure_count(autojump_clock: MockClock):
    """`PageChanged` means that the portal answered."""
    throttle = PortalThrottle(SITE, Politeness(pause_after_errors=2))
    for error in (PortalUnavailable("500"), PageChanged("/jobs", "table"), PortalUnavailable("500")):
        with pytest.raises(type(error)):
            await request(throttle, error=error)
    await request(throttle)
