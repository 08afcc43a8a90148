from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from runtime import (
    Actor,
    Address,
    AskTimeout,
    DeadLetter,
    MailboxFull,
    MessageDropped,
    Overflow,
    Request,
    System,
    Undelivered,
    Urgent,
)
from runtime.testing import run_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    of: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt(Urgent):
    number: int


class Sum(Request[int]):
    pass


class Ticker(Actor[object]):
    """Handles nothing before the gate opens."""

    def __init__(self, gate: trio.Event, log: list[object]) -> None:
        self.gate = gate
        self.log = log

    async def handle(self, message: object) -> object:
        await self.gate.wait()
        self.log.append(message)
        return len(self.log)


@pytest.fixture
def gate() -> trio.Event:
    return trio.Event()


@pytest.fixture
def log() -> list[object]:
    return []


async def busy(address: Address[object]) -> None:
    """Keep the actor busy with one message, so that others wait."""
    await address.tell("first")
    await trio.testing.wait_all_tasks_blocked()


def values(log: list[object]) -> list[object]:
    return [message.value for message in log if isinstance(message, Price)]


async def test_reject_raises_at_once(gate, log) -> None:
    """A tell that would otherwise wait raises MailboxFull, and is counted."""
    address: Address[object] = Address("ticker", capacity=2, overflow=Overflow.REJECT)
    async with run_actor(lambda: Ticker(gate, log), address):
        await busy(address)
        for value in (1, 2):
            await address.tell(Price(of="a", value=value))
        with pytest.raises(MailboxFull, match="ticker: mailbox full, 2 messages wait"):
            await address.tell(Price(of="a", value=3))
        with pytest.raises(MailboxFull):
            await address.ask(Sum(), timeout=1)
        assert address.mailbox.statistics().rejected == 2
        gate.set()


async def test_drop_oldest_keeps_the_newest_messages(gate, log, nursery) -> None:
    """The oldest message becomes a dead letter; an ask gets MessageDropped."""
    address: Address[object] = Address("ticker", capacity=2, overflow=Overflow.DROP_OLDEST)
    errors: list[BaseException] = []

    async def ask() -> None:
        with pytest.raises(MessageDropped) as caught:
            await address.ask(Sum(), timeout=5)
        errors.append(caught.value)

    async with run_actor(lambda: Ticker(gate, log), address) as system:
        await busy(address)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        for value in range(5):
            await address.tell(Price(of="a", value=value))
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert values(log) == [3, 4]
        assert len(errors) == 1
        assert system.dead_letters.counts == {Undelivered.DROPPED: 4}
        assert address.mailbox.statistics().dropped == 4


async def test_coalesce_keeps_the_latest_of_each_key(gate, log) -> None:
    """In the place of the first, so that a busy key is not delayed; asks are not replaced."""
    address: Address[object] = Address(
        "ticker",
        capacity=3,
        overflow=Overflow.COALESCE,
        key=lambda message: message.of if isinstance(message, Price) else None,
    )
    async with run_actor(lambda: Ticker(gate, log), address):
        await busy(address)
        for value, of in enumerate("abaabc"):
            await address.tell(Price(of=of, value=value))
        with pytest.raises(MailboxFull):
            address.tell_nowait(Price(of="d", value=9))
        assert address.mailbox.statistics().dropped == 3
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert values(log) == [3, 4, 5]
        await address.tell(Price(of="a", value=7))
        await trio.testing.wait_all_tasks_blocked()
        assert values(log) == [3, 4, 5, 7]


async def test_a_waiting_sender_is_not_overtaken(gate, log, nursery) -> None:
    """A waiting sender goes before one that arrives when there is room again."""
    address: Address[object] = Address("ticker", capacity=1)
    async with run_actor(lambda: Ticker(gate, log), address):
        await busy(address)
        await address.tell(Price(of="a", value=1))
        for value in (2, 3, 4):
            nursery.start_soon(address.tell, Price(of="a", value=value))
            await trio.testing.wait_all_tasks_blocked()
        assert address.mailbox.statistics().waits == 3
        gate.set()
        await address.ask(Sum(), timeout=1)
        assert values(log) == [1, 2, 3, 4]


async def test_a_cancelled_send_queues_nothing(gate, log, autojump_clock) -> None:
    """Cancelled while it waits for room: the message is not queued. An ask has its deadline."""
    address: Address[object] = Address("ticker", capacity=1)
    async with run_actor(lambda: Ticker(gate, log), address):
        await busy(address)
        await address.tell(Price(of="a", value=1))
        with trio.move_on_after(1):
            await address.tell(Price(of="a", value=2))
        with pytest.raises(AskTimeout):
            await address.ask(Sum(), timeout=1)
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["first", Price(of="a", value=1)]


@pytest.mark.parametrize("overflow", [Overflow.WAIT, Overflow.REJECT, Overflow.DROP_OLDEST])
async def test_urgent_messages_go_ahead(gate, log, overflow) -> None:
    """Of all others, even when there is no room; in order among themselves."""
    address: Address[object] = Address("ticker", capacity=2, overflow=overflow)
    async with run_actor(lambda: Ticker(gate, log), address):
        await busy(address)
        for value in (1, 2):
            await address.tell(Price(of="a", value=value))
        for number in (1, 2):
            await address.tell(Halt(number=number))
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert log[1:3] == [Halt(number=1), Halt(number=2)]
        assert values(log) == [1, 2]


async def test_statistics(gate, log, autojump_clock) -> None:
    """Depth, high-water mark and the age of the oldest, as seen in the tree."""
    address: Address[object] = Address("ticker", capacity=5)
    async with run_actor(lambda: Ticker(gate, log), address) as system:
        await busy(address)
        await trio.sleep(1)
        await address.tell(Price(of="a", value=1))
        await trio.sleep(2)
        await address.tell(Price(of="a", value=2))
        node = system.snapshot().children[0]
        assert (node.mailbox.depth, node.mailbox.high_water, node.mailbox.taken) == (2, 2, 1)
        assert node.mailbox.oldest_age == pytest.approx(2)
        assert (node.message, node.busy_for) == ("str", pytest.approx(3))
        with pytest.raises(AskTimeout):
            await address.ask(Sum(), timeout=1)
        gate.set()
        await trio.sleep(1)
        mailbox = system.snapshot().children[0].mailbox
        assert (mailbox.depth, mailbox.oldest_age, mailbox.expired, mailbox.taken) == (0, None, 1, 4)


async def test_dead_letters_of_a_stopped_actor(gate, log) -> None:
    """The current message and the waiting ones are kept, in order."""
    address: Address[object] = Address("ticker")

    def rows(system: System) -> list[tuple[str, object, Undelivered]]:
        def row(letter: DeadLetter) -> tuple[str, object, Undelivered]:
            return letter.to, letter.message, letter.reason

        return [row(letter) for letter in system.dead_letters.letters()]

    async with run_actor(lambda: Ticker(gate, log), address, shutdown=0.01) as system:
        await busy(address)
        await address.tell("second")
    assert rows(system) == [
        ("ticker", "first", Undelivered.STOPPED),
        ("ticker", "second", Undelivered.STOPPED),
    ]
