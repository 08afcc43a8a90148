from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from runtime import Actor, ActorStopped, Address, ChildState, Refusal, Request
from runtime.testing import TestProbe, crash, run_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Request[int]):
    of: str


class Buyer(Actor[str]):
    def __init__(self, shop: Address[Price | str]) -> None:
        self.shop = shop

    async def handle(self, message: str) -> None:
        try:
            price = await self.shop.ask(Price(of=message), timeout=5)
        except Refusal as refusal:
            await self.shop.tell(str(refusal))
        else:
            await self.shop.tell(f"{message} for {price}")


async def test_a_test_probe_replaces_an_actor(autojump_clock) -> None:
    """It receives, replies and refuses in place of the actor."""
    shop = TestProbe(Address[Price | str]("shop"))
    buyer: Address[str] = Address("buyer")
    async with run_actor(lambda: Buyer(shop.address), buyer):
        await buyer.tell("tea")
        first = await shop.receive()
        assert (first.message, first.is_ask) == (Price(of="tea"), True)
        first.reply(3)
        second = await shop.receive()
        assert (second.message, second.is_ask) == ("tea for 3", False)
        with pytest.raises(AssertionError, match="was sent with tell"):
            second.reply(1)
        await buyer.tell("gold")
        (await shop.receive()).refuse(Refusal("none left"))
        assert (await shop.receive()).message == "none left"
        shop.expect_nothing()
        with pytest.raises(AssertionError, match="nothing was sent to shop within 2 s"):
            await shop.receive(timeout=2)
        await buyer.tell("more")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(AssertionError, match="shop was sent Price"):
            shop.expect_nothing()


async def test_crash_fails_a_running_actor(autojump_clock) -> None:
    """A test can make any actor fail."""
    address: Address[str] = Address("buyer")
    async with run_actor(lambda: Buyer(Address("shop")), address) as system:
        crash(address, ValueError("now"))
        await trio.sleep(1)
        node = system.snapshot().children[0]
        assert (node.state, node.restarts, node.last_error) == (ChildState.RUNNING, 1, "now")
    with pytest.raises(ActorStopped, match="no actor runs at buyer"):
        crash(address, ValueError("late"))
