from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import (
    ActorCrashed,
    ActorStopped,
    Address,
    AskTimeout,
    Cause,
    ChildSpec,
    DeadLetters,
    DeadLettersQuery,
    MailboxFull,
    NoSuchLetter,
    NotResent,
    Overflow,
    ResendDeadLetter,
    Undelivered,
    open_system,
)

from .probes import AT_ONCE, Crash, Ping, Poison, PoisonRequest, Probe, child, probes, root


async def test_a_message_that_crashed_its_actor_does_not_run_again(autojump_clock) -> None:
    """At most once: it is kept with the traceback instead."""
    spec = child("a", [], backoff=AT_ONCE)
    async with open_system(root(spec)) as system:
        await spec.address.tell(Crash(error=ValueError("no")))
        assert await spec.address.ask(Ping(), timeout=1) == 2
        (letter,) = system.dead_letters.quarantine()
        assert (letter.to, letter.reason) == ("a", Undelivered.CRASHED)
        assert "ValueError: no" in letter.tracebacks[0]
        assert system.dead_letters.letters() == ()


async def test_a_repeatable_message_runs_again(autojump_clock) -> None:
    """First of all after the restart, and the ask gets the reply of the next incarnation."""
    log: list[str] = []
    spec = child("a", log, backoff=AT_ONCE)
    async with open_system(root(spec)) as system:
        assert await spec.address.ask(PoisonRequest(last=1), timeout=5) == 2
        assert system.dead_letters.quarantine() == ()
        assert "a handled" in log


async def test_a_repeatable_message_that_always_crashes_is_quarantined(autojump_clock) -> None:
    """After as many crashes as the spec says, with all their tracebacks; the actor goes on."""
    spec = child("a", [], backoff=AT_ONCE, poison_after=3)
    async with open_system(root(spec, max_restarts=10)) as system:
        with pytest.raises(ActorCrashed, match="poison"):
            await spec.address.ask(PoisonRequest(last=100), timeout=5)
        assert await spec.address.ask(Ping(), timeout=1) == 4
        (letter,) = system.dead_letters.quarantine()
        assert (letter.reason, len(letter.tracebacks)) == (Undelivered.POISON, 3)


async def test_crashes_are_counted_beyond_the_tracebacks_that_are_kept(autojump_clock) -> None:
    """The last tracebacks are kept, and all crashes count, also after the message was resent."""
    spec = child("a", [], backoff=AT_ONCE, poison_after=12)
    async with open_system(root(spec, max_restarts=100)) as system:
        with pytest.raises(ActorCrashed, match="poison"):
            await spec.address.ask(PoisonRequest(last=100), timeout=5)
        assert await spec.address.ask(Ping(), timeout=1) == 13
        (letter,) = system.dead_letters.quarantine()
        assert (letter.reason, letter.crashes, len(letter.tracebacks)) == (Undelivered.POISON, 12, 10)
        system.dead_letters.resend(letter.number)
        assert await spec.address.ask(Ping(), timeout=1) == 14
        (again,) = system.dead_letters.quarantine()
        assert (again.crashes, len(again.tracebacks)) == (13, 10)


async def test_a_background_failure_does_not_count_against_the_message(autojump_clock) -> None:
    """A repeatable message is not quarantined for it, however often that happens."""

    class Interrupted(Probe):
        async def handle(self, message: object) -> object:
            if isinstance(message, Poison) and self.incarnation < 4:
                self.context.nursery.start_soon(self.fail)
                await trio.sleep_forever()
            return await super().handle(message)

    incarnations = iter(range(1, 9))
    spec = ChildSpec(
        address=Address("a"),
        start=lambda: Interrupted("a", [], incarnation=next(incarnations)),
        backoff=AT_ONCE,
        poison_after=1,
    )
    async with open_system(root(spec)) as system:
        assert await spec.address.ask(PoisonRequest(last=0), timeout=1) == 4
        assert system.dead_letters.quarantine() == ()


async def test_crash_history_survives_a_background_failure(autojump_clock) -> None:
    """Earlier crashes of a message still count after a background task failed while it was handled."""

    class Interrupted(Probe):
        async def handle(self, message: object) -> object:
            if isinstance(message, Poison) and self.incarnation == 2:
                self.context.nursery.start_soon(self.fail)
                await trio.sleep_forever()
            return await super().handle(message)

    incarnations = iter(range(1, 9))
    spec = ChildSpec(
        address=Address("a"),
        start=lambda: Interrupted("a", [], incarnation=next(incarnations)),
        backoff=AT_ONCE,
        poison_after=2,
    )
    async with open_system(root(spec, max_restarts=10)) as system:
        with pytest.raises(ActorCrashed, match="poison"):
            await spec.address.ask(PoisonRequest(last=100), timeout=1)
        assert await spec.address.ask(Ping(), timeout=1) == 4
        (letter,) = system.dead_letters.quarantine()
        assert ["poison" in trace for trace in letter.tracebacks] == [True, True]
        assert system.dead_letters.crash_histories == {}


async def test_crash_history_is_discarded_when_the_ask_times_out(autojump_clock) -> None:
    """A requeued message whose ask times out is never handled, and its history is removed."""
    spec = child("a", [], poison_after=3)
    async with open_system(root(spec)) as system:
        with pytest.raises(AskTimeout):
            await spec.address.ask(PoisonRequest(last=100), timeout=0.5)
        assert len(system.dead_letters.crash_histories) == 1
        assert await spec.address.ask(Ping(), timeout=5) == 2
        assert system.snapshot().children[0].mailbox.expired == 1
        assert system.dead_letters.crash_histories == {}


async def test_crash_history_is_discarded_when_a_newer_message_replaces_it(autojump_clock) -> None:
    """The history of a resent message that is replaced before it is handled is removed."""
    address: Address[object] = Address("a", overflow=Overflow.COALESCE, key=type)
    log: list[str] = []
    spec = ChildSpec(address=address, start=probes("a", log), backoff=AT_ONCE, poison_after=1)
    async with open_system(root(spec)) as system:
        await address.tell(Poison(last=1))
        assert await address.ask(Ping(), timeout=1) == 2
        (letter,) = system.dead_letters.quarantine()
        system.dead_letters.resend(letter.number)
        assert len(system.dead_letters.crash_histories) == 1
        address.tell_nowait(Poison(last=0))
        assert system.dead_letters.crash_histories == {}
        assert await address.ask(Ping(), timeout=1) == 2
        assert log.count("a handled") == 1


async def test_a_quarantined_message_can_be_resent(autojump_clock) -> None:
    """When the bug is fixed it is handled; else it is quarantined again with another traceback."""
    log: list[str] = []
    spec = child("a", log, backoff=AT_ONCE, poison_after=2)
    tree = root(spec, max_restarts=10)
    async with open_system(tree) as system:
        await spec.address.tell(Poison(last=3))
        await trio.sleep(1)
        (letter,) = await tree.address.ask(DeadLettersQuery(), timeout=1)
        await tree.address.ask(ResendDeadLetter(number=letter.number), timeout=1)
        await trio.sleep(1)
        (again,) = system.dead_letters.quarantine()
        assert (len(letter.tracebacks), len(again.tracebacks)) == (2, 3)
        await tree.address.ask(ResendDeadLetter(number=again.number), timeout=1)
        await trio.sleep(1)
        assert system.dead_letters.quarantine() == ()
        assert log[-1] == "a handled"
        with pytest.raises(NotResent, match="no dead letter"):
            await tree.address.ask(ResendDeadLetter(number=again.number), timeout=1)
        assert system.dead_letters.counts == {Undelivered.POISON: 2}
        assert system.snapshot().children[0].last_cause is Cause.CRASH


def test_letters_are_bounded_and_counted() -> None:
    """The oldest are dropped; a flood of dead letters does not displace quarantined ones."""
    sent: list[str] = []
    letters = DeadLetters(capacity=2, quarantine=1)

    def add(message: str, reason: Undelivered) -> None:
        letters.add(message, reason, to="a", at=0, resend=lambda: sent.append(message))

    add("poison", Undelivered.POISON)
    for message in ("b", "c", "d"):
        add(message, Undelivered.STOPPED)
    assert [letter.message for letter in letters.letters()] == ["c", "d"]
    assert [letter.message for letter in letters.quarantine()] == ["poison"]
    assert letters.counts == {Undelivered.STOPPED: 3, Undelivered.POISON: 1}
    letters.resend(4)
    assert sent == ["d"]
    with pytest.raises(NoSuchLetter, match="no dead letter 2 is kept"):
        letters.resend(2)


@pytest.mark.parametrize("capacity", [1, 2, 3])
async def test_a_letter_can_be_resent_when_everything_is_full(capacity) -> None:
    """The message dropped from the mailbox takes the place of the letter that is resent."""
    letters = DeadLetters(capacity=capacity)
    address: Address[int] = Address("a", capacity=1, overflow=Overflow.DROP_OLDEST)
    address.mailbox.open(letters)
    for message in range(capacity + 1):
        address.tell_nowait(message)
    assert [letter.message for letter in letters.letters()] == list(range(capacity))
    for letter in letters.letters():
        letters.resend(letter.number)
        envelope = address.mailbox.take()
        assert envelope is not None
        assert envelope[0] == letter.message
        address.tell_nowait(capacity + 1)
    assert [letter.message for letter in letters.letters()] == [capacity] + [capacity + 1] * (capacity - 1)


async def test_the_supervisor_resends_when_everything_is_full(autojump_clock) -> None:
    """The supervisor replies to the request and keeps running."""

    class Busy(Probe):
        async def handle(self, message: object) -> object:
            await trio.sleep_forever()

    address: Address[object] = Address("a", capacity=1, overflow=Overflow.DROP_OLDEST)
    tree = root(ChildSpec(address=address, start=lambda: Busy("a", [])))
    async with open_system(tree) as system:
        await address.tell("current")
        await trio.testing.wait_all_tasks_blocked()
        for number in range(1002):
            await address.tell(number)
        oldest, *others = system.dead_letters.letters()
        await tree.address.ask(ResendDeadLetter(number=oldest.number), timeout=1)
        assert system.dead_letters.letters()[:-1] == tuple(others)
        assert system.dead_letters.letters()[-1].message == 1001


async def test_a_letter_that_cannot_be_resent_stays(autojump_clock) -> None:
    """It stays in its place, once."""
    rejecting: Address[object] = Address("a", capacity=1, overflow=Overflow.REJECT)
    letters = DeadLetters(capacity=3)
    rejecting.mailbox.open(letters)
    ended: Address[object] = Address("b")
    ended.mailbox.open(letters)
    rejecting.tell_nowait("waits")
    rejecting.mailbox.dead_letter("first", Undelivered.DROPPED)
    ended.tell_nowait("second")
    ended.mailbox.close("b ended")
    rejecting.mailbox.dead_letter("third", Undelivered.DROPPED)
    kept = letters.letters()
    assert [letter.message for letter in kept] == ["first", "second", "third"]
    for letter, error in zip(kept, [MailboxFull, ActorStopped, MailboxFull], strict=True):
        with pytest.raises(error):
            letters.resend(letter.number)
        assert letters.letters() == kept
    assert rejecting.mailbox.take() is not None
    letters.resend(kept[2].number)
    assert letters.letters() == kept[:2]
