from __future__ import annotations

import pytest
import trio

from runtime import (
    Address,
    Bus,
    Cause,
    ChildSpec,
    Exit,
    IntensityReached,
    Ledger,
    LedgerQuery,
    Outcome,
    Restart,
    RestartRecorded,
    TerminateChild,
    open_system,
    traceback_hash,
)

from .probes import AT_ONCE, Crash, Probe, Unavailable, child, crash, root


async def test_a_restart_is_recorded(autojump_clock) -> None:
    """Time, child, cause, current message, delay and outcome; as events too."""
    spec = child("a", [])
    tree = root(spec)
    bus = Bus()
    with bus.subscribe(RestartRecorded) as events:
        async with open_system(tree, bus=bus) as system:
            await trio.sleep(3)
            at = trio.current_time()
            await crash(spec)
            await trio.sleep(0.5)
            assert [entry.outcome for entry in system.ledger.entries()] == [Outcome.WAITING]
            await trio.sleep(5)
            (entry,) = await tree.address.ask(LedgerQuery(), timeout=1)
            assert (entry.path, entry.at, entry.cause) == ("root/a", pytest.approx(at), Cause.CRASH)
            assert (entry.error, entry.message, entry.delay) == ("no", "Crash", 1)
            assert entry.outcome is Outcome.RESTARTED
            assert len(entry.traceback_hash) == 12
        recorded = [event for event in events.drain() if isinstance(event, RestartRecorded)]
    assert [event.entry.outcome for event in recorded] == [Outcome.WAITING, Outcome.RESTARTED]


async def test_outcomes(autojump_clock) -> None:
    """Failed again, stopped, not restarted and gave up are distinguished."""
    errors = iter([None, ValueError("start"), None])
    flaky = ChildSpec(
        address=Address("flaky"),
        start=lambda: Probe("flaky", [], start_error=next(errors)),
        backoff=AT_ONCE,
    )
    once, slow = child("once", [], restart=Restart.TEMPORARY), child("slow", [])
    last = child("last", [], backoff=AT_ONCE)
    tree = root(flaky, once, slow, last, max_restarts=3)
    entries = ()

    async def run_until_it_gives_up() -> None:
        nonlocal entries
        async with open_system(tree) as system:
            await crash(flaky)
            await trio.sleep(0.1)
            await crash(once)
            await trio.sleep(0.1)
            await crash(slow)
            await trio.sleep(0.1)
            await tree.address.ask(TerminateChild(id="slow"), timeout=1)
            try:
                await last.address.tell(Crash(error=Unavailable("gone")))
                await trio.sleep(0.1)
                await crash(last)
                await trio.sleep_forever()
            finally:
                entries = system.ledger.entries()

    with pytest.raises(IntensityReached):
        await run_until_it_gives_up()
    assert [(entry.path.split("/")[1], entry.cause, entry.outcome) for entry in entries] == [
        ("flaky", Cause.CRASH, Outcome.FAILED_AGAIN),
        ("flaky", Cause.CRASH, Outcome.RESTARTED),
        ("once", Cause.CRASH, Outcome.NOT_RESTARTED),
        ("slow", Cause.CRASH, Outcome.STOPPED),
        ("last", Cause.DEPENDENCY_UNAVAILABLE, Outcome.RESTARTED),
        ("last", Cause.CRASH, Outcome.GAVE_UP),
    ]


async def test_the_ledger_is_bounded() -> None:
    """The oldest entries are dropped; resolving a dropped one changes nothing."""
    ledger = Ledger(lambda _: None, capacity=2)
    reason = Exit(cause=Cause.CRASH, error=ValueError("no"))
    numbers = [ledger.append("a", reason, message=None, delay=1, outcome=Outcome.WAITING) for _ in range(3)]
    ledger.resolve(numbers[0], Outcome.RESTARTED)
    ledger.resolve(numbers[2], Outcome.RESTARTED)
    ledger.resolve(numbers[2], Outcome.STOPPED)
    outcomes = [(entry.number, entry.outcome) for entry in ledger.entries()]
    assert outcomes == [(2, Outcome.WAITING), (3, Outcome.RESTARTED)]


def test_failures_from_the_same_place_have_the_same_hash() -> None:
    """Whatever their text; errors from other places have another hash."""

    def fail(text: str) -> Exception:
        try:
            raise ValueError(text)
        except ValueError as error:
            return error

    def fail_elsewhere() -> Exception:
        try:
            raise ValueError("a")
        except ValueError as error:
            return error

    assert traceback_hash(fail("a")) == traceback_hash(fail("b"))
    assert traceback_hash(fail("a")) == traceback_hash(ExceptionGroup("", [fail("a")]))
    assert traceback_hash(fail("a")) != traceback_hash(fail_elsewhere())


async def test_the_budget_is_visible(autojump_clock) -> None:
    """Restarts used and left, when the next slot frees, and the next delay of each child."""
    spec = child("a", [])
    async with open_system(root(spec, max_restarts=3, period=60)) as system:
        await crash(spec)
        await trio.sleep(2)
        await spec.address.tell(Crash(error=Unavailable("gone")))
        await trio.sleep(3)
        node = system.snapshot()
        assert node.budget is not None
        assert (node.budget.used, node.budget.left, node.budget.maximum) == (1, 2, 3)
        assert node.budget.frees_in == pytest.approx(55)
        assert (node.children[0].next_delay, node.children[0].crashes_to_exit) == (4, 3)
        await trio.sleep(60)
        node = system.snapshot()
        assert (node.children[0].next_delay, node.children[0].crashes_to_exit) == (1, 4)
