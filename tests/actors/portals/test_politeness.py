"""Politeness on a clock of the test's own: turns, working hours and pauses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from actors.portals.browser.live_browser import PageSlot
from actors.portals.errors import OutcomeUnknown, PageChanged, PortalClosed, PortalPaused, PortalUnavailable
from actors.portals.politeness import Politeness, PortalThrottle

SITE = "https://portal.example"


async def ask(manners: PortalThrottle, *, redirects: int = 0, error: Exception | None = None) -> float:
    """Ask for a page and return when it was asked for."""
    async with manners.visit() as visit:
        at = trio.current_time()
        visit.redirects = redirects
        if error is not None:
            raise error
    return at


async def test_without_a_section_nothing_waits(autojump_clock: MockClock):
    """The defaults hold nothing back."""
    manners = PortalThrottle(SITE, Politeness())
    began = trio.current_time()
    for _ in range(100):
        assert await ask(manners) == began


async def test_sessions_on_one_host_share_its_rate_in_the_order_of_asking(autojump_clock: MockClock):
    """Four sessions at two requests a second: one each half second, and each as often as the others."""
    asked: list[tuple[float, int]] = []
    began = trio.current_time()

    async def session(number: int) -> None:
        manners = PortalThrottle(SITE, Politeness(requests_per_second=2))
        for _ in range(5):
            at = await ask(manners)
            asked.append((at - began, number))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(session, number)
    times = [at for at, _ in sorted(asked)]
    assert times == pytest.approx([step / 2 for step in range(20)])
    order = [number for _, number in sorted(asked)]
    assert all(set(order[turn : turn + 4]) == {0, 1, 2, 3} for turn in range(0, 20, 4))


async def test_other_hosts_are_not_waited_for(autojump_clock: MockClock):
    """The rate is a host's, also where two definitions name it in different letters."""
    slow = Politeness(requests_per_second=0.1)
    began = trio.current_time()
    await ask(PortalThrottle(SITE, slow))
    assert await ask(PortalThrottle("https://other.example", slow)) == began
    assert await ask(PortalThrottle("https://PORTAL.example/sub", slow)) == pytest.approx(began + 10)


async def test_redirects_count(autojump_clock: MockClock):
    """A page that took three requests is paid for before the next is asked for."""
    manners = PortalThrottle(SITE, Politeness(requests_per_second=1))
    began = trio.current_time()
    await ask(manners, redirects=2)
    assert await ask(manners) == pytest.approx(began + 3)


async def test_a_turn_given_up_is_another_s(autojump_clock: MockClock):
    """Whoever is cancelled while waiting does not hold up who comes next."""
    manners = PortalThrottle(SITE, Politeness(requests_per_second=1))
    began = trio.current_time()
    await ask(manners)
    with trio.move_on_after(0.5) as scope:
        await ask(manners)
    assert scope.cancelled_caught
    assert await ask(manners) == pytest.approx(began + 1)


async def test_nobody_holds_a_slot_while_waiting_for_the_rate(autojump_clock: MockClock):
    """Neither one that was taken for what came before the request; it is taken again when it may leave."""
    turn = trio.CapacityLimiter(1)
    manners, mine, other = (
        PortalThrottle(SITE, Politeness(requests_per_second=0.1)),
        PageSlot(turn),
        PageSlot(turn),
    )
    began = trio.current_time()
    async with manners.visit(mine):
        assert trio.current_time() == began
    assert turn.available_tokens == 0  # kept after the request, for what comes of it

    async def work() -> None:
        await other.take()
        assert trio.current_time() == began
        await trio.sleep(4)
        other.give_up()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        async with manners.visit(mine):
            assert trio.current_time() == pytest.approx(began + 10)
            assert turn.available_tokens == 0
    mine.give_up()
    mine.give_up()
    assert turn.available_tokens == 1


async def test_a_late_slot_lets_no_requests_leave_together(autojump_clock: MockClock):
    """Those who waited for the same slots still leave at the rate, in the order of asking."""
    turn = trio.CapacityLimiter(3)
    busy = [PageSlot(turn) for _ in range(3)]
    for slot in busy:
        await slot.take()
    began = trio.current_time()
    left: list[tuple[int, float]] = []

    async def session(number: int) -> None:
        slot = PageSlot(turn)
        async with PortalThrottle(SITE, Politeness(requests_per_second=2)).visit(slot):
            left.append((number, trio.current_time() - began))
        slot.give_up()

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(session, number)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        for slot in busy:
            slot.give_up()
    assert left == [(number, pytest.approx(10 + number / 2)) for number in range(4)]


async def test_whoever_gives_up_waiting_for_a_slot_holds_nobody_up(autojump_clock: MockClock):
    """Neither the slot nor the turn is lost."""
    turn = trio.CapacityLimiter(1)
    busy, mine, polite = PageSlot(turn), PageSlot(turn), Politeness(requests_per_second=1)
    await busy.take()
    with trio.move_on_after(5) as scope:
        async with PortalThrottle(SITE, polite).visit(mine):
            pass
    assert scope.cancelled_caught
    busy.give_up()
    began = trio.current_time()
    async with PortalThrottle(SITE, polite).visit(mine):
        assert trio.current_time() == began


async def test_outside_its_hours_a_portal_is_not_asked():
    """The error says until when, in the portal's own time."""
    polite = Politeness(working_hours="Mon-Fri 08:00-18:00", timezone="Europe/Berlin")
    now = datetime(2026, 1, 9, 17, 30, tzinfo=UTC)
    manners = PortalThrottle(SITE, polite, wall=lambda: now)
    with pytest.raises(
        PortalClosed, match="outside its working hours, until Mon 2026-01-12 08:00 CET"
    ) as caught:
        await ask(manners)
    assert caught.value.until == datetime(2026, 1, 12, 7, tzinfo=UTC)
    now = caught.value.until
    await ask(manners)


async def test_hours_that_end_while_one_waits_are_kept(autojump_clock: MockClock):
    """What was polite when the wait began may not be when it ends."""
    began, opened = trio.current_time(), datetime(2026, 1, 9, 16, 59, 50, tzinfo=UTC)

    def wall() -> datetime:
        return datetime.fromtimestamp(opened.timestamp() + trio.current_time() - began, UTC)

    polite = Politeness(requests_per_second=0.05, working_hours="Mon-Fri 08:00-17:00")
    manners = PortalThrottle(SITE, polite, wall=wall)
    await ask(manners)
    with pytest.raises(PortalClosed):
        await ask(manners)


async def test_a_portal_in_trouble_is_left_alone_for_a_while(autojump_clock: MockClock):
    """After so many failures in a row nobody asks; the first failure after the rest means another."""
    polite = Politeness(pause_after_errors=3, pause_seconds=30)
    manners, other = PortalThrottle(SITE, polite), PortalThrottle(SITE, polite)
    troubles = [PortalUnavailable("500"), OutcomeUnknown("A", "500"), PortalUnavailable("500")]
    for error in troubles:
        with pytest.raises(type(error)):
            await ask(manners, error=error)
    for waiting in (manners, other):
        with pytest.raises(PortalPaused, match="left alone for 30 s after 3 failures in a row"):
            await ask(waiting)
    await trio.sleep(30)
    with pytest.raises(PortalUnavailable, match="500"):
        await ask(other, error=PortalUnavailable("500"))
    with pytest.raises(PortalPaused):
        await ask(manners)
    await trio.sleep(30)
    await ask(manners)
    with pytest.raises(PortalUnavailable, match="500"):
        await ask(manners, error=PortalUnavailable("500"))
    await ask(manners)


async def test_an_answer_of_any_kind_ends_a_row_of_failures(autojump_clock: MockClock):
    """A page that has changed is a person's concern, and no trouble of the portal's."""
    manners = PortalThrottle(SITE, Politeness(pause_after_errors=2))
    for error in (PortalUnavailable("500"), PageChanged("/jobs", "table"), PortalUnavailable("500")):
        with pytest.raises(type(error)):
            await ask(manners, error=error)
    await ask(manners)
