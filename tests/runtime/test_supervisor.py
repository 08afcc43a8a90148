from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio

from runtime import (
    Actor,
    ActorCrashed,
    ActorStopped,
    Address,
    AlreadyStarted,
    Backoff,
    Bus,
    ChildFailed,
    ChildSpec,
    ChildStarted,
    ChildState,
    ChildStopped,
    Exit,
    IntensityReached,
    MaxChildren,
    NotFound,
    Request,
    Restart,
    StartChild,
    StartFailed,
    StartRefused,
    SupervisorSpec,
    TerminateChild,
    TreeQuery,
    open_system,
)
from runtime.testing import next_event

from .probes import Crash, FailInBackground, Ping, Probe, Stubborn, Unavailable, child, root


async def test_children_start_in_order_and_stop_in_reverse() -> None:
    """They start in the order of the spec and stop in its reverse."""
    log: list[str] = []
    nested = SupervisorSpec(address=Address("nested"), children=(child("b", log), child("c", log)))
    async with open_system(root(child("a", log), nested, child("d", log))):
        assert log == ["a started", "b started", "c started", "d started"]
    assert log[4:] == ["d stopped", "c stopped", "b stopped", "a stopped"]


async def test_a_crashed_child_is_restarted_after_its_backoff(autojump_clock) -> None:
    """Waits double, and enough uptime makes the next failure the first again."""
    bus = Bus()
    spec = child("a", [])
    async with open_system(root(spec, max_restarts=100), bus=bus) as system:
        with bus.subscribe(ChildFailed, ChildStarted) as events:
            for delay in (1, 2, 4, 8, 8):
                await spec.address.tell(Crash(error=ValueError("no")))
                failed = await next_event(events, ChildFailed)
                assert (failed.path, failed.delay) == ("root/a", delay)
                assert str(failed.error) == "no"
                node = system.snapshot().children[0]
                assert node.state is ChildState.BACKOFF
                assert node.retry_in == delay
                began = trio.current_time()
                await next_event(events, ChildStarted)
                assert trio.current_time() - began == pytest.approx(delay)
            await trio.sleep(5)
            await spec.address.tell(Crash(error=ValueError("no")))
            assert (await next_event(events, ChildFailed)).delay == 1
        assert system.snapshot().children[0].last_error == "no"


async def test_messages_wait_for_the_next_incarnation(autojump_clock) -> None:
    """An ask to an actor in backoff is answered by its next incarnation."""
    spec = child("a", [])
    async with open_system(root(spec)):
        await spec.address.tell(Crash(error=ValueError("no")))
        assert await spec.address.ask(Ping(), timeout=10) == 2


async def test_the_ask_that_crashes_its_actor_gets_the_cause() -> None:
    """It fails at once instead of at its deadline."""
    spec = child("a", [])
    cause = ValueError("no")

    @dataclass(frozen=True)
    class CrashRequest(Crash, Request[None]):
        pass

    async with open_system(root(spec)):
        with pytest.raises(ActorCrashed, match="root/a failed: no") as caught:
            await spec.address.ask(CrashRequest(error=cause), timeout=1)
        assert caught.value.__cause__ is cause


async def test_a_background_task_that_fails_is_the_actors_failure(autojump_clock) -> None:
    """The nursery of an actor belongs to its incarnation."""
    log: list[str] = []
    spec = child("a", log)
    bus = Bus()
    async with open_system(root(spec), bus=bus):
        with bus.subscribe(ChildFailed) as events:
            await spec.address.tell(FailInBackground())
            assert str((await next_event(events, ChildFailed)).error) == "background"
        assert await spec.address.ask(Ping(), timeout=10) == 2
    assert log == ["a started", "a stopped", "a started", "a stopped"]


async def test_too_many_crashes_end_the_tree(autojump_clock) -> None:
    """A root that gives up names the crashed child, and its siblings are stopped in order."""
    log: list[str] = []
    spec = child("b", log, backoff=Backoff(minimum=0, maximum=0))

    async def run() -> None:
        async with open_system(root(child("a", log), spec, max_restarts=2, period=5)):
            for _ in range(3):
                await spec.address.tell(Crash(error=ValueError("no")))
            await trio.sleep_forever()

    with pytest.raises(
        IntensityReached, match="root gave up: more than 2 crashes within 5 s, the last of root/b"
    ):
        await run()
    assert log[-1] == "a stopped"


async def test_crashes_outside_the_period_do_not_count(autojump_clock) -> None:
    """The intensity is a sliding window."""
    spec = child("a", [], backoff=Backoff(minimum=0, maximum=0))
    async with open_system(root(spec, max_restarts=1, period=5)) as system:
        for _ in range(5):
            await spec.address.tell(Crash(error=ValueError("no")))
            await trio.sleep(6)
        assert system.snapshot().children[0].restarts == 5


async def test_an_unavailable_dependency_does_not_count_as_a_restart(autojump_clock) -> None:
    """One of an actor's ``dependency_errors`` is retried as long as it lasts."""
    spec = child("a", [], backoff=Backoff(minimum=0.1, maximum=0.1))
    async with open_system(root(spec, max_restarts=0)) as system:
        for _ in range(20):
            await spec.address.tell(Crash(error=Unavailable("gone")))
            await spec.address.ask(Ping(), timeout=5)
        assert system.snapshot().children[0].restarts == 20


async def test_a_nested_supervisor_that_gives_up_is_restarted_whole(autojump_clock) -> None:
    """Escalation costs the parent one restart, and all children start again."""
    log: list[str] = []
    spec = child("b", log, backoff=Backoff(minimum=0, maximum=0))
    nested = SupervisorSpec(address=Address("nested"), children=(child("a", log), spec), max_restarts=0)
    async with open_system(root(nested, max_restarts=1)) as system:
        await spec.address.tell(Crash(error=ValueError("no")))
        await trio.sleep(1)
        assert system.snapshot().children[0].restarts == 1
        assert await spec.address.ask(Ping(), timeout=1) == 2
    assert log == ["a started", "b started", "b stopped", "a stopped"] * 2


async def test_a_failed_start_stops_what_had_started() -> None:
    """open_system raises the cause with the child's path; nothing is left running."""
    log: list[str] = []
    bad = ChildSpec(address=Address("b"), start=lambda: Probe("b", log, start_error=ValueError("no port")))
    with pytest.raises(StartFailed, match="root/nested/b did not start: no port"):
        async with open_system(
            root(child("a", log), SupervisorSpec(address=Address("nested"), children=(bad,)))
        ):
            raise AssertionError("never entered")
    assert log == ["a started", "b stopped", "a stopped"]


async def test_a_child_that_exceeds_its_shutdown_limit_is_cancelled(autojump_clock) -> None:
    """A stop takes no longer than the spec says."""
    bus = Bus()
    spec = ChildSpec(address=Address("a"), start=Stubborn, shutdown=3)
    with bus.subscribe(ChildStopped) as events:
        async with open_system(root(spec), bus=bus):
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(3)
        assert (await next_event(events, ChildStopped)).path == "root/a"


async def test_a_stop_is_handled_during_a_backoff(autojump_clock) -> None:
    """A supervisor that waits to restart a child still handles a stop."""
    spec = child("a", [], backoff=Backoff(minimum=1000, maximum=1000))
    began = trio.current_time()
    async with open_system(root(spec)):
        await spec.address.tell(Crash(error=ValueError("no")))
        await trio.sleep(1)
    assert trio.current_time() - began < 10


async def test_a_stop_is_handled_while_a_child_starts(autojump_clock) -> None:
    """A start that never ends does not delay the stop; children started before stop in order."""
    log: list[str] = []

    class Slow(Actor[object]):
        async def started(self) -> None:
            await trio.sleep_forever()

        async def stopped(self, reason: Exit) -> None:
            log.append("slow stopped")

    slow = ChildSpec(address=Address("slow"), start=Slow, start_timeout=1000)
    nested = SupervisorSpec(address=Address("nested"), children=(child("b", log), slow))
    with trio.move_on_after(1):
        async with open_system(root(child("a", log), nested, child("never", log))):
            raise AssertionError("never entered")
    assert log == ["a started", "b started", "slow stopped", "b stopped", "a stopped"]
    assert trio.current_time() < 5


async def test_a_cancelled_block_still_stops_in_order(autojump_clock) -> None:
    """A cancellation from outside does not cancel the tree at once."""
    log: list[str] = []
    with trio.move_on_after(1):
        async with open_system(root(child("a", log), child("b", log))):
            await trio.sleep_forever()
    assert log == ["a started", "b started", "b stopped", "a stopped"]


async def test_the_error_of_the_block_is_raised_without_a_group() -> None:
    """The exception group of the tree's nursery is removed."""
    with pytest.raises(KeyError):
        async with open_system(root()):
            raise KeyError("own")


@pytest.mark.parametrize(
    ("restart", "error", "state"),
    [
        (Restart.PERMANENT, ValueError("no"), ChildState.RUNNING),
        (Restart.TRANSIENT, ValueError("no"), ChildState.RUNNING),
        (Restart.TEMPORARY, ValueError("no"), None),
    ],
)
async def test_restart_types(autojump_clock, restart, error, state) -> None:
    """OTP's permanent, transient and temporary, for a child that failed."""
    spec = child("a", [], restart=restart)
    async with open_system(root(spec)) as system:
        await spec.address.tell(Crash(error=error))
        await trio.sleep(10)
        states = [child.state for child in system.snapshot().children]
        assert states == ([] if state is None else [state])
        if state is None:
            with pytest.raises(ActorStopped):
                await spec.address.ask(Ping(), timeout=1)


async def test_children_are_started_and_terminated_by_request(autojump_clock) -> None:
    """A dynamic supervisor starts and stops children while it runs."""
    log: list[str] = []
    fleet = SupervisorSpec(address=Address("fleet"), dynamic=True, max_children=2)
    async with open_system(root(fleet)):
        ask = fleet.address.ask
        first = child("a", log)
        assert await ask(StartChild(spec=first), timeout=1) == "root/fleet/a"
        assert await first.address.ask(Ping(), timeout=1) == 1
        with pytest.raises(AlreadyStarted):
            await ask(StartChild(spec=child("a", log)), timeout=1)
        await ask(StartChild(spec=child("b", log)), timeout=1)
        with pytest.raises(MaxChildren):
            await ask(StartChild(spec=child("c", log)), timeout=1)
        await ask(TerminateChild(id="a"), timeout=1)
        with pytest.raises(ActorStopped):
            await first.address.ask(Ping(), timeout=1)
        with pytest.raises(NotFound):
            await ask(TerminateChild(id="a"), timeout=1)
        node = await ask(TreeQuery(), timeout=1)
        assert [child.id for child in node.children] == ["b"]


async def test_a_dynamic_child_that_cannot_start_is_not_kept() -> None:
    """The ask gets the cause, and there is no restart."""
    fleet = SupervisorSpec(address=Address("fleet"), dynamic=True, max_restarts=0)
    bad = ChildSpec(address=Address("a"), start=lambda: Probe("a", [], start_error=ValueError("no")))
    async with open_system(root(fleet, max_restarts=0)):
        with pytest.raises(StartRefused, match="root/fleet/a did not start: no"):
            await fleet.address.ask(StartChild(spec=bad), timeout=1)
        assert (await fleet.address.ask(TreeQuery(), timeout=1)).children == ()
