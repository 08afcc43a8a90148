"""One incarnation of an actor: cleanup, hangs and expired asks."""

from __future__ import annotations

import pytest
import trio

from runtime import (
    Actor,
    ActorCrashed,
    Address,
    Backoff,
    Bus,
    Cause,
    ChildFailed,
    ChildSpec,
    Exit,
    HandlerHung,
    Request,
    TerminateChild,
    open_system,
)
from runtime.testing import next_event

from .probes import Crash, Ping, Probe, StopItself, Unavailable, child, root


class Hang(Request[None]):
    pass


class Sleeper(Actor[object]):
    async def handle(self, message: object) -> None:
        await self.sleep_for(1000 if isinstance(message, Hang) else 1)

    async def sleep_for(self, seconds: float) -> None:
        await trio.sleep(seconds)


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (Crash(error=ValueError("no")), Cause.CRASH),
        (Crash(error=Unavailable("gone")), Cause.DEPENDENCY_UNAVAILABLE),
        (StopItself(), Cause.NORMAL),
        (TerminateChild(id="a"), Cause.SHUTDOWN),
    ],
)
async def test_stopped_gets_the_reason(autojump_clock, end, cause) -> None:
    """For each kind of end."""
    reasons: list[Exit] = []

    class RecordingProbe(Probe):
        async def stopped(self, reason: Exit) -> None:
            reasons.append(reason)

    spec = ChildSpec(address=Address("a"), start=lambda: RecordingProbe("a", []))
    tree = root(spec)
    async with open_system(tree):
        if isinstance(end, TerminateChild):
            await tree.address.ask(end, timeout=1)
        else:
            await spec.address.tell(end)
            await trio.sleep(0.01)
        assert [reason.cause for reason in reasons] == [cause]
        assert (reasons[0].error is None) is (cause in (Cause.NORMAL, Cause.SHUTDOWN))


async def test_a_failed_cleanup_does_not_hide_the_failure(autojump_clock) -> None:
    """The first failure is reported, with a note about the cleanup."""

    class Broken(Probe):
        async def stopped(self, reason: Exit) -> None:
            raise KeyError("last")

    bus = Bus()
    spec = ChildSpec(address=Address("a"), start=lambda: Broken("a", []))
    with bus.subscribe(ChildFailed) as failures:
        async with open_system(root(spec), bus=bus):
            await spec.address.tell(Crash(error=ValueError("first")))
            failed = await next_event(failures, ChildFailed)
    assert str(failed.error) == "first"
    assert failed.error.__notes__ == ["cleanup failed too: 'last'"]


async def test_an_actor_that_hangs_is_restarted(autojump_clock) -> None:
    """After its handle_timeout; the error shows the stack where it waited."""
    spec = ChildSpec(
        address=Address("a"),
        start=Sleeper,
        handle_timeout=30,
        backoff=Backoff(minimum=1, maximum=1, jitter=0),
    )
    bus = Bus()
    async with open_system(root(spec), bus=bus) as system:
        with bus.subscribe(ChildFailed) as failures:
            await trio.sleep(29)
            began = trio.current_time()
            with pytest.raises(ActorCrashed, match="root/a has handled Hang for more than 30 s"):
                await spec.address.ask(Hang(), timeout=100)
            assert trio.current_time() - began == pytest.approx(30)
            failed = await next_event(failures, ChildFailed)
        assert isinstance(failed.error, HandlerHung)
        assert "in sleep_for" in failed.error.stack
        assert "await trio.sleep(seconds)" in failed.error.stack
        assert (failed.cause, failed.message) == (Cause.HUNG, "Hang")
        (letter,) = system.dead_letters.quarantine()
        assert "in sleep_for" in letter.tracebacks[0]
        assert await spec.address.ask(Request[None](), timeout=5) is None


async def test_many_quick_messages_are_no_hang(autojump_clock) -> None:
    """The limit is for one message, not for many in a row."""
    spec = ChildSpec(address=Address("a"), start=Sleeper, handle_timeout=3)
    async with open_system(root(spec)) as system:
        for _ in range(20):
            await spec.address.tell("short")
        await trio.sleep(30)
        assert system.snapshot().children[0].restarts == 0


async def test_an_expired_ask_is_counted(autojump_clock) -> None:
    """Also a cancelled ask."""
    spec = ChildSpec(address=Address("a"), start=Sleeper)
    async with open_system(root(spec)):
        await spec.address.tell("long")
        with trio.move_on_after(0.5):
            await spec.address.ask(Hang(), timeout=10)
        await trio.sleep(3)
        assert spec.address.mailbox.statistics().expired == 1


async def test_an_ask_to_a_restarting_actor_waits(autojump_clock) -> None:
    """Within its deadline."""
    spec = child("a", [])
    async with open_system(root(spec)):
        await spec.address.tell(Crash(error=ValueError("no")))
        began = trio.current_time()
        assert await spec.address.ask(Ping(), timeout=5) == 2
        assert trio.current_time() - began == pytest.approx(1)
