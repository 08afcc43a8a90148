from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from runtime import (
    Actor,
    ActorCrashed,
    ActorStopped,
    Address,
    AskTimeout,
    Deferred,
    MailboxFull,
    Refusal,
    Request,
    System,
)
from runtime.testing import run_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    text: str


class Notes(Request[list[str]]):
    pass


class Block(Request[None]):
    """Takes until the gate opens."""


class Later(Request[str]):
    """The reply is the next Note."""


class No(Request[None]):
    pass


class Denied(Refusal):
    pass


class Notebook(Actor[object]):
    def __init__(self, gate: trio.Event) -> None:
        self.gate = gate
        self.notes: list[str] = []
        self.waiting: list[Deferred[object]] = []

    async def handle(self, message: object) -> object:
        match message:
            case Note(text="crash"):
                raise ValueError("crash")
            case Note(text=text):
                self.notes.append(text)
                for deferred in self.waiting:
                    deferred.set(text)
            case Notes():
                return list(self.notes)
            case Block():
                await self.gate.wait()
            case Later():
                self.waiting.append(self.context.defer())
            case No():
                raise Denied("not today")
            case _:
                raise AssertionError(message)
        return None


@pytest.fixture
def gate() -> trio.Event:
    return trio.Event()


@pytest.fixture
def address() -> Address[object]:
    return Address("notebook", capacity=3)


@pytest.fixture
async def system(address, gate):
    async with run_actor(lambda: Notebook(gate), address) as running:
        yield running


async def test_messages_arrive_in_order(address, system: System) -> None:
    """First in, first out."""
    for text in "abc":
        await address.tell(Note(text=text))
    assert await address.ask(Notes(), timeout=1) == ["a", "b", "c"]


async def test_a_full_mailbox_makes_the_sender_wait(address, gate, nursery, system: System) -> None:
    """tell waits for room, tell_nowait raises; messages keep their order and none is lost."""
    nursery.start_soon(lambda: address.ask(Block(), timeout=5))
    await trio.testing.wait_all_tasks_blocked()
    for text in "abc":
        address.tell_nowait(Note(text=text))
    with pytest.raises(MailboxFull, match="3 messages wait"):
        address.tell_nowait(Note(text="d"))
    nursery.start_soon(address.tell, Note(text="d"))
    await trio.testing.wait_all_tasks_blocked()
    assert system.snapshot().children[0].mailbox.depth == 3
    gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert await address.ask(Notes(), timeout=1) == ["a", "b", "c", "d"]
    assert system.snapshot().children[0].mailbox.high_water == 3


async def test_an_expired_ask_is_never_handled(
    address, gate, nursery, autojump_clock, system: System
) -> None:
    """The deadline travels with the message."""
    nursery.start_soon(lambda: address.ask(Block(), timeout=100))
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(AskTimeout, match="notebook gave no answer to Later within 2 s"):
        await address.ask(Later(), timeout=2)
    gate.set()
    await address.tell(Note(text="a"))
    assert await address.ask(Notes(), timeout=1) == ["a"]


async def test_a_deferred_reply_comes_later(address, nursery, system: System) -> None:
    """An actor may reply after it has handled other messages."""
    replies: list[str] = []

    async def ask() -> None:
        replies.append(await address.ask(Later(), timeout=5))

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert replies == []
        await address.tell(Note(text="now"))
    assert replies == ["now"]


async def test_a_crash_fails_deferred_replies(address, nursery, system: System) -> None:
    """Asks to an incarnation that has ended fail at once."""
    caught: list[BaseException] = []

    async def ask() -> None:
        with pytest.raises(ActorCrashed) as crash:
            await address.ask(Later(), timeout=5)
        caught.append(crash.value)

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        await address.tell(Note(text="crash"))
    assert isinstance(caught[0].__cause__, ValueError)


async def test_a_refusal_is_a_reply(address, system: System) -> None:
    """The ask gets the actor's own error and the actor keeps running."""
    await address.tell(Note(text="kept"))
    with pytest.raises(Denied, match="not today"):
        await address.ask(No(), timeout=1)
    assert await address.ask(Notes(), timeout=1) == ["kept"]


async def test_messages_survive_a_crash(address, gate, system: System) -> None:
    """Only the current message is lost with its incarnation."""
    address.tell_nowait(Note(text="crash"))
    address.tell_nowait(Note(text="after"))
    assert await address.ask(Notes(), timeout=1) == ["after"]


async def test_asks_to_a_stopped_actor_fail_at_once(address, gate, autojump_clock) -> None:
    """The current ask, waiting asks and later ones."""
    errors: list[type[BaseException]] = []

    async def ask(request: Request[object]) -> None:
        try:
            await address.ask(request, timeout=50)
        except (ActorCrashed, ActorStopped) as error:
            errors.append(type(error))

    async with trio.open_nursery() as nursery, run_actor(lambda: Notebook(gate), address, shutdown=2):
        nursery.start_soon(ask, Block())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, Notes())
        await trio.testing.wait_all_tasks_blocked()
    assert errors == [ActorCrashed, ActorStopped]
    with pytest.raises(ActorStopped, match="notebook was stopped"):
        await address.ask(Notes(), timeout=50)


async def test_a_busy_actor_lets_others_run(address, system: System) -> None:
    """A full mailbox and handlers that never wait do not starve the rest."""
    turns = 0

    async def bystander() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bystander)
        for number in range(1000):
            await address.tell(Note(text=str(number)))
        assert len(await address.ask(Notes(), timeout=5)) == 1000
        nursery.cancel_scope.cancel()
    assert turns > 20
