from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from runtime import (
    Actor,
    Address,
    Backoff,
    Cause,
    ChildSpec,
    ChildState,
    Down,
    Restart,
    TerminateChild,
    open_system,
)

from .probes import StopItself, child, crash, root


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    to: Address[object]
    how: str


class Watcher(Actor[object]):
    def __init__(self, downs: list[Down]) -> None:
        self.downs = downs

    async def handle(self, message: object) -> None:
        match message:
            case Connect(to=address, how="watch"):
                self.context.watch(address)
            case Connect(to=address, how="unwatch"):
                self.context.unwatch(address)
            case Connect(to=address):
                self.context.link(address)
            case Down():
                self.downs.append(message)
            case _:
                raise ValueError("no")


@pytest.fixture
def downs() -> list[Down]:
    return []


@pytest.fixture
def watcher(downs) -> ChildSpec:
    return ChildSpec(
        address=Address("watcher"), start=lambda: Watcher(downs), backoff=Backoff(minimum=1, maximum=1)
    )


async def connect(watcher: ChildSpec, spec: ChildSpec, how: str) -> None:
    await watcher.address.tell(Connect(to=spec.address, how=how))
    await trio.testing.wait_all_tasks_blocked()


async def test_a_crash_is_reported_with_its_reason(autojump_clock, watcher, downs) -> None:
    """Once, with the information that it restarts."""
    spec = child("a", [])
    async with open_system(root(watcher, spec)):
        await connect(watcher, spec, "watch")
        await crash(spec)
        await trio.sleep(2)
        await crash(spec)
        await trio.sleep(2)
    (down,) = downs
    assert (down.name, down.path, down.exit.cause, down.will_restart) == ("a", "root/a", Cause.CRASH, True)
    assert str(down.exit.error) == "no"


async def test_a_stop_and_an_end_are_reported(autojump_clock, watcher, downs) -> None:
    """Also of a child that its supervisor does not restart."""
    spec, tree = child("a", [], restart=Restart.TRANSIENT), None
    other = child("b", [])
    tree = root(watcher, spec, other)
    async with open_system(tree):
        for each in (spec, other):
            await connect(watcher, each, "watch")
        await spec.address.tell(StopItself())
        await tree.address.ask(TerminateChild(id="b"), timeout=1)
        await trio.sleep(1)
    assert [(down.name, down.exit.cause, down.will_restart) for down in downs] == [
        ("a", Cause.NORMAL, False),
        ("b", Cause.SHUTDOWN, False),
    ]


async def test_watching_an_actor_that_has_ended_notifies_at_once(autojump_clock, watcher, downs) -> None:
    """Erlang's noproc."""
    spec = child("a", [])
    tree = root(watcher, spec)
    async with open_system(tree):
        await tree.address.ask(TerminateChild(id="a"), timeout=1)
        await connect(watcher, spec, "watch")
        assert [down.exit.cause for down in downs] == [Cause.NOT_THERE]


async def test_unwatch_ends_the_notifications(autojump_clock, watcher, downs) -> None:
    """So does the end of the watching incarnation."""
    spec = child("a", [])
    async with open_system(root(watcher, spec)):
        await connect(watcher, spec, "watch")
        await connect(watcher, spec, "unwatch")
        await crash(spec)
        await trio.sleep(2)
        await connect(watcher, spec, "watch")
        await watcher.address.tell("crash")
        await trio.sleep(2)
        await crash(spec)
        await trio.sleep(2)
        assert downs == []
        assert spec.address.mailbox.watchers == {}


@pytest.mark.parametrize("first", ["watcher", "a"])
async def test_linked_actors_fail_together(autojump_clock, watcher, first) -> None:
    """Whichever of the two fails first; the link ends with it."""
    spec = child("a", [])
    async with open_system(root(watcher, spec, max_restarts=10)) as system:
        await connect(watcher, spec, "link")
        if first == "a":
            await crash(spec)
        else:
            await watcher.address.tell("crash")
        await trio.sleep(3)
        nodes = system.snapshot().children
        assert [(node.state, node.restarts) for node in nodes] == [(ChildState.RUNNING, 1)] * 2
        causes = {node.id: node.last_cause for node in nodes}
        assert causes.pop(first) is Cause.CRASH
        assert set(causes.values()) == {Cause.LINK}
        await crash(spec)
        await trio.sleep(3)
        assert [node.restarts for node in system.snapshot().children] == [1, 2]


async def test_an_orderly_end_does_not_break_a_link(autojump_clock, watcher) -> None:
    """Only failures propagate."""
    spec = child("a", [])
    tree = root(watcher, spec)
    async with open_system(tree) as system:
        await connect(watcher, spec, "link")
        await tree.address.ask(TerminateChild(id="a"), timeout=1)
        await trio.sleep(2)
        assert system.snapshot().children[0].restarts == 0


async def test_a_link_to_an_actor_that_has_ended_fails_at_once(autojump_clock, watcher) -> None:
    """As in Erlang."""
    spec = child("a", [])
    tree = root(watcher, spec)
    async with open_system(tree) as system:
        await tree.address.ask(TerminateChild(id="a"), timeout=1)
        await connect(watcher, spec, "link")
        assert system.snapshot().children[0].last_cause is Cause.LINK
