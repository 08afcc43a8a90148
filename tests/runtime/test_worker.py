"""What one incarnation does that nobody else sees to: last words, hangs, fairness."""

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

from .probes import Away, Crash, Leave, Ping, Probe, child, root


class Hang(Request[None]):
    pass


class Sleeper(Actor[object]):
    async def handle(self, message: object) -> None:
        await self.fall_asleep(1000 if isinstance(message, Hang) else 1)

    async def fall_asleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (Crash(error=ValueError("no")), Cause.CRASH),
        (Crash(error=Away("gone")), Cause.ABSENCE),
        (Leave(), Cause.NORMAL),
        (TerminateChild(id="a"), Cause.SHUTDOWN),
    ],
)
async def test_last_words_know_the_reason(autojump_clock, end, cause) -> None:
    """Whatever it was."""
    reasons: list[Exit] = []

    class Last(Probe):
        async def stopped(self, reason: Exit) -> None:
            # Its own end is not yet known to be one that it asked for.
            reasons.append(reason)

    spec = ChildSpec(address=Address("a"), start=lambda: Last("a", []))
    tree = root(spec)
    async with open_system(tree):
        if isinstance(end, TerminateChild):
            await tree.address.ask(end, timeout=1)
        else:
            await spec.address.tell(end)
            await trio.sleep(0.01)
        assert [reason.cause for reason in reasons] == [cause]
        assert (reasons[0].error is None) is (cause in (Cause.NORMAL, Cause.SHUTDOWN))


async def test_last_words_that_fail_do_not_hide_the_failure(autojump_clock) -> None:
    """What came first is what is reported, with a note."""

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
    assert failed.error.__notes__ == ["its last words failed too: 'last'"]


async def test_an_actor_that_hangs_is_restarted(autojump_clock) -> None:
    """After its handle_timeout, and the report shows the stack where it stood."""
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
            with pytest.raises(ActorCrashed, match="root/a was at Hang for more than 30 s"):
                await spec.address.ask(Hang(), timeout=100)
            assert trio.current_time() - began == pytest.approx(30)
            failed = await next_event(failures, ChildFailed)
        assert isinstance(failed.error, HandlerHung)
        assert "in fall_asleep" in failed.error.stack
        assert "await trio.sleep(seconds)" in failed.error.stack
        assert (failed.cause, failed.message) == (Cause.HUNG, "Hang")
        (letter,) = system.dead_letters.quarantine()
        assert "in fall_asleep" in letter.tracebacks[0]
        assert await spec.address.ask(Request[None](), timeout=5) is None


async def test_quick_messages_do_not_hang(autojump_clock) -> None:
    """The limit is for one message, however many there are."""
    spec = ChildSpec(address=Address("a"), start=Sleeper, handle_timeout=3)
    async with open_system(root(spec)) as system:
        for _ in range(20):
            await spec.address.tell("short")
        await trio.sleep(30)
        assert system.snapshot().children[0].restarts == 0


async def test_an_expired_ask_is_counted(autojump_clock) -> None:
    """Also one whose asker was cancelled."""
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


async def test_counts_stand_beside_the_actor() -> None:
    """They begin at 0, go down as well as up, and replace what was no number."""

    class Counter(Actor[Ping]):
        async def handle(self, message: Ping) -> None:
            self.context.detail["odd"] = "none"
            self.context.count(even=2, odd=1)
            self.context.count(even=-1)

    counter: Address[Ping] = Address("counter")
    async with open_system(root(ChildSpec(address=counter, start=Counter))) as system:
        for _ in range(3):
            await counter.ask(Ping(), timeout=1)
        (child,) = system.snapshot().children
        assert child.detail == {"even": 3, "odd": 1}
