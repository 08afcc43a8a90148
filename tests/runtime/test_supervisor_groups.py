"""Group restarts, automatic shutdown, shutdown limits and escalation of supervisors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from runtime import (
    ActorStopped,
    Address,
    AutoShutdown,
    Bus,
    Cause,
    ChildFailed,
    ChildSpec,
    ChildState,
    ChildStopped,
    IntensityReached,
    Restart,
    Shutdown,
    StartChild,
    Strategy,
    SupervisorSpec,
    System,
    TerminateChild,
    TreeQuery,
    open_system,
)
from runtime.testing import next_event

from .probes import AT_ONCE, Ping, Probe, StopItself, Stubborn, child, crash, root


@asynccontextmanager
async def group(
    strategy: Strategy, log: list[str], **options
) -> AsyncGenerator[tuple[System, list[ChildSpec]]]:
    specs = [child(name, log) for name in "abc"]
    async with open_system(root(*specs, strategy=strategy, **options)) as system:
        log.clear()
        yield system, specs


def states(system: System) -> list[ChildState]:
    return [node.state for node in system.snapshot().children]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, "b stopped, b started"),
        (Strategy.ONE_FOR_ALL, "b stopped, c stopped, a stopped, a started, b started, c started"),
        (Strategy.REST_FOR_ONE, "b stopped, c stopped, b started, c started"),
    ],
)
async def test_strategies(autojump_clock, strategy, expected) -> None:
    """Others stop in reverse at once, and all start in order after the one backoff."""
    log: list[str] = []
    async with group(strategy, log) as (system, specs):
        await crash(specs[1])
        await trio.sleep(0.5)
        assert ChildState.STARTING not in states(system)
        assert states(system)[1] is ChildState.BACKOFF
        await trio.sleep(1)
        assert log == expected.split(", ")
        assert states(system) == [ChildState.RUNNING] * 3


async def test_messages_wait_for_a_group_restart(autojump_clock) -> None:
    """Also messages to a sibling that was stopped with the failed child."""
    async with group(Strategy.ONE_FOR_ALL, []) as (_, specs):
        await crash(specs[1])
        await trio.sleep(0.5)
        assert await specs[2].address.ask(Ping(), timeout=5) == 2


async def test_a_group_restart_counts_as_one_restart(autojump_clock) -> None:
    """OTP counts the failed child, not the siblings restarted with it."""
    async with group(Strategy.ONE_FOR_ALL, [], max_restarts=1) as (system, specs):
        await crash(specs[0])
        await trio.sleep(3)
        budget = system.snapshot().budget
        assert budget is not None
        assert (budget.used, budget.left) == (1, 0)
        assert budget.frees_in == pytest.approx(2)


async def test_another_failure_during_a_group_restart_begins_it_anew(autojump_clock) -> None:
    """The first of three fails while the later two wait in backoff: all three restart, once each."""
    log: list[str] = []
    async with group(Strategy.REST_FOR_ONE, log, max_restarts=9) as (system, specs):
        await crash(specs[1])
        await trio.sleep(0.5)
        await crash(specs[0])
        await trio.sleep(5)
        assert log == ["b stopped", "c stopped", "a stopped", "a started", "b started", "c started"]
        assert [node.restarts for node in system.snapshot().children] == [1, 1, 1]


async def test_a_start_that_fails_in_a_group_restart_is_tried_again(autojump_clock) -> None:
    """With the rest of the group after it, as long as the intensity allows."""
    log: list[str] = []
    first = child("a", log)
    errors = iter([None, ValueError("no"), ValueError("no"), None])
    second = ChildSpec(
        address=Address("b"), start=lambda: Probe("b", log, start_error=next(errors)), backoff=AT_ONCE
    )
    third = child("c", log)
    async with open_system(
        root(first, second, third, strategy=Strategy.ONE_FOR_ALL, max_restarts=3)
    ) as system:
        log.clear()
        await crash(third)
        await trio.sleep(10)
        assert states(system) == [ChildState.RUNNING] * 3
        assert [node.restarts for node in system.snapshot().children] == [3, 1, 1]
        budget = system.snapshot().budget
        assert budget is not None
        assert log[-3:] == ["a started", "b started", "c started"]
        assert await third.address.ask(Ping(), timeout=1) == 2


async def test_temporary_siblings_are_not_restarted(autojump_clock) -> None:
    """A group restart stops and removes them, as OTP does."""
    log: list[str] = []
    specs = child("a", log), child("b", log, restart=Restart.TEMPORARY), child("c", log)
    async with open_system(root(*specs, strategy=Strategy.ONE_FOR_ALL)) as system:
        await crash(specs[0])
        await trio.sleep(3)
        assert [node.id for node in system.snapshot().children] == ["a", "c"]


async def test_a_group_restart_starts_terminated_children(autojump_clock) -> None:
    """OTP starts every child of the group, also a terminated one."""
    spec = root(child("a", []), child("b", []), strategy=Strategy.ONE_FOR_ALL)
    async with open_system(spec) as system:
        await spec.address.ask(TerminateChild(id="b"), timeout=1)
        assert states(system) == [ChildState.RUNNING, ChildState.STOPPED]
        await crash(spec.children[0])
        await trio.sleep(3)
        assert states(system) == [ChildState.RUNNING] * 2


async def test_a_child_terminated_during_the_backoff_of_its_group_stays_stopped(autojump_clock) -> None:
    """It is taken out of the pending restart."""
    spec = root(child("a", []), child("b", []), strategy=Strategy.ONE_FOR_ALL)
    async with open_system(spec) as system:
        await crash(spec.children[0])
        await trio.sleep(0.5)
        await spec.address.ask(TerminateChild(id="b"), timeout=1)
        await trio.sleep(3)
        assert states(system) == [ChildState.RUNNING, ChildState.STOPPED]


async def test_a_stop_is_handled_during_a_group_restart(autojump_clock) -> None:
    """Also while a sibling is slow to stop."""
    slow = ChildSpec(address=Address("b"), start=Stubborn, shutdown=100)
    spec = root(child("a", []), slow, strategy=Strategy.ONE_FOR_ALL)
    async with open_system(spec, stop_timeout=3):
        await crash(spec.children[0])
        await trio.sleep(0.5)
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(3)
    assert spec.address.mailbox.closed is not None
    assert slow.address.mailbox.closed is not None


# auto_shutdown


@pytest.mark.parametrize(
    ("auto_shutdown", "stopping", "ends"),
    [
        (AutoShutdown.ANY_SIGNIFICANT, "a", True),
        (AutoShutdown.ANY_SIGNIFICANT, "c", False),
        (AutoShutdown.ALL_SIGNIFICANT, "a", False),
        (AutoShutdown.ALL_SIGNIFICANT, "ab", True),
    ],
)
async def test_a_supervisor_ends_with_its_significant_children(
    autojump_clock, auto_shutdown, stopping, ends
) -> None:
    """A transient supervisor that shut itself down stays stopped, and its other children are stopped."""
    log: list[str] = []
    options = {"restart": Restart.TRANSIENT}
    specs = {name: child(name, log, significant=name != "c", **options) for name in "abc"}
    nested = SupervisorSpec(
        address=Address("nested"), children=tuple(specs.values()), auto_shutdown=auto_shutdown, **options
    )
    async with open_system(root(nested)) as system:
        for name in stopping:
            await specs[name].address.tell(StopItself())
        await trio.sleep(1)
        node = system.snapshot().children[0]
        assert node.state is (ChildState.STOPPED if ends else ChildState.RUNNING)
        assert (node.last_cause is Cause.SHUTDOWN) is ends
        assert ("c stopped" in log) is (ends or stopping == "c")


async def test_a_significant_child_that_crashes_is_restarted(autojump_clock) -> None:
    """Only an end without a restart counts."""
    spec = child("a", [], restart=Restart.TRANSIENT, significant=True)
    tree = root(spec, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    async with open_system(tree) as system:
        await crash(spec)
        await trio.sleep(3)
        assert states(system) == [ChildState.RUNNING]


async def test_a_temporary_significant_child_that_crashes_ends_the_supervisor(autojump_clock) -> None:
    """As it is not restarted."""
    spec = child("a", [], restart=Restart.TEMPORARY, significant=True)
    async with open_system(root(spec, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)):
        await crash(spec)
        await trio.sleep_forever()


async def test_terminating_a_significant_child_does_not_end_the_supervisor(autojump_clock) -> None:
    """Only an end by itself does."""
    spec = child("a", [], restart=Restart.TRANSIENT, significant=True)
    tree = root(spec, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    async with open_system(tree) as system:
        await tree.address.ask(TerminateChild(id="a"), timeout=1)
        await trio.sleep(1)
        assert states(system) == [ChildState.STOPPED]


# Restart types and shutdown


@pytest.mark.parametrize(
    ("restart", "state"), [(Restart.PERMANENT, ChildState.RUNNING), (Restart.TRANSIENT, ChildState.STOPPED)]
)
async def test_a_child_that_stops_itself(autojump_clock, restart, state) -> None:
    """A permanent child is restarted, which counts as a restart; a transient one is not."""
    spec = child("a", [], restart=restart)
    bus = Bus()
    async with open_system(root(spec), bus=bus) as system:
        with bus.subscribe(ChildFailed) as failures:
            await spec.address.tell(StopItself())
            await trio.sleep(3)
            assert states(system) == [state]
            events = [(event.cause, str(event.error)) for event in failures.drain()]
    assert events == ([(Cause.NORMAL, "root/a ended by itself")] if restart is Restart.PERMANENT else [])


async def test_a_brutal_shutdown_takes_no_time(autojump_clock) -> None:
    """The actor is cancelled without a cleanup."""
    log: list[str] = []
    bus = Bus()
    with bus.subscribe(ChildStopped) as events:
        async with open_system(root(child("a", log, shutdown=Shutdown.BRUTAL)), bus=bus):
            pass
        assert (await next_event(events, ChildStopped)).killed
    assert log == ["a started"]


async def test_an_unlimited_shutdown_takes_as_long_as_it_takes(autojump_clock) -> None:
    """Only the stop timeout of the whole tree ends it."""

    class Slow(Probe):
        async def stopped(self, reason) -> None:
            await trio.sleep(10_000)
            self.log.append("done")

    log: list[str] = []
    spec = ChildSpec(address=Address("a"), start=lambda: Slow("a", log), shutdown=Shutdown.UNLIMITED)
    async with open_system(root(spec), stop_timeout=20_000):
        pass
    assert log == ["a started", "done"]
    async with open_system(root(spec), stop_timeout=5):
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(5, abs=1.1)


async def test_the_stop_timeout_of_the_tree_ends_whole_branches(autojump_clock) -> None:
    """Whatever the limits of their children; asks to those fail at once."""
    leaf = ChildSpec(address=Address("leaf"), start=Stubborn, shutdown=100)
    branch = SupervisorSpec(address=Address("branch"), children=(leaf, child("other", [])))
    async with open_system(root(branch), stop_timeout=3):
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(3)
    with pytest.raises(ActorStopped):
        await leaf.address.ask(Ping(), timeout=1000)


async def test_a_dynamic_supervisor_stops_all_at_once(autojump_clock) -> None:
    """Not one after the other."""
    fleet = SupervisorSpec(address=Address("fleet"), dynamic=True)
    async with open_system(root(fleet)):
        for number in range(5):
            spec = ChildSpec(address=Address(f"s{number}"), start=Stubborn, shutdown=3)
            await fleet.address.ask(StartChild(spec=spec), timeout=1)
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(3)


# Escalation


async def test_restarts_multiply_up_to_the_end(autojump_clock) -> None:
    """Exactly as many crashes as ``crashes_to_exit`` says end the process."""
    leaf = child("leaf", [], backoff=AT_ONCE)
    inner = SupervisorSpec(
        address=Address("inner"), children=(leaf,), max_restarts=1, period=1000, backoff=AT_ONCE
    )
    outer = SupervisorSpec(
        address=Address("outer"), children=(inner,), max_restarts=2, period=1000, backoff=AT_ONCE
    )
    crashes = 0

    async def crash_until_the_end() -> None:
        nonlocal crashes
        async with open_system(root(outer, max_restarts=1, period=1000)) as system:
            while True:
                left = system.snapshot().children[0].children[0].children[0].crashes_to_exit
                assert left == 12 - crashes
                await crash(leaf)
                crashes += 1
                await leaf.address.ask(Ping(), timeout=5)

    with pytest.raises(IntensityReached, match="root gave up: more than 1 crashes within 1000 s"):
        await crash_until_the_end()
    assert crashes == 12


async def test_messages_survive_the_restart_of_their_supervisor(autojump_clock) -> None:
    """Its children are stopped with it, and their messages stay in the mailboxes."""
    leaf, other = child("leaf", [], backoff=AT_ONCE), child("other", [])
    inner = SupervisorSpec(address=Address("inner"), children=(other, leaf), max_restarts=0)
    async with open_system(root(inner)) as system:
        await crash(leaf)
        leaf.address.tell_nowait(Ping())
        await trio.sleep(0.1)
        assert system.snapshot().children[0].state is ChildState.BACKOFF
        assert await other.address.ask(Ping(), timeout=5) == 2
        assert await leaf.address.ask(Ping(), timeout=5) == 2


async def test_a_branch_that_is_not_restarted_rejects_messages_at_once(autojump_clock) -> None:
    """Asks to children of a supervisor that ended for good fail at once."""
    leaf = child("leaf", [], backoff=AT_ONCE)
    inner = SupervisorSpec(
        address=Address("inner"), children=(leaf,), max_restarts=0, restart=Restart.TEMPORARY
    )
    tree = root(inner)
    async with open_system(tree):
        await crash(leaf)
        await trio.sleep(0.1)
        assert leaf.address.mailbox.closed is not None
        assert (await tree.address.ask(TreeQuery(), timeout=1)).children == ()
