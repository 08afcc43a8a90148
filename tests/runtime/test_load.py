from __future__ import annotations

from time import perf_counter

import trio

from runtime import Actor, Address, ChildSpec, LoadQuery, open_system

from .probes import root


class Mixed(Actor[float | str]):
    """Sleeps for a text, computes for a number."""

    async def handle(self, message: float | str) -> None:
        match message:
            case str():
                await trio.sleep(float(message))
            case _:
                until = perf_counter() + message
                while perf_counter() < until:
                    pass


async def test_the_slowest_handlers_are_known(autojump_clock) -> None:
    """By actor and message type, slowest first; the longest of each."""
    specs = [ChildSpec(address=Address(name), start=Mixed) for name in "ab"]
    tree = root(*specs)
    async with open_system(tree):
        for seconds in ("3", "5", "1"):
            await specs[0].address.tell(seconds)
        await specs[1].address.tell("4")
        await trio.sleep(20)
        load = await tree.address.ask(LoadQuery(), timeout=1)
        slowest = [(slow.path, slow.message, round(slow.seconds)) for slow in load.slowest[:2]]
        assert slowest == [("root/a", "str", 5), ("root/b", "str", 4)]
        assert load.lag is None


async def test_a_handler_that_computes_delays_the_loop() -> None:
    """The lag is measured with ``lag_period``."""
    spec = ChildSpec(address=Address("a"), start=Mixed)
    async with open_system(root(spec), lag_period=0.01) as system:
        await trio.sleep(0.025)
        await spec.address.tell(0.05)
        await trio.sleep(0.1)
        lag = system.load().lag
        assert lag is not None
        assert lag.worst > 0.03
        assert lag.samples >= 2


async def test_only_the_slowest_are_kept(autojump_clock) -> None:
    """However many actors there are."""
    specs = [ChildSpec(address=Address(f"a{number}"), start=Mixed) for number in range(30)]
    async with open_system(root(*specs)) as system:
        for number, spec in enumerate(specs):
            await spec.address.tell(str(number))
        await trio.sleep(60)
        slowest = system.load().slowest
        assert [slow.path for slow in slowest[:2]] == ["root/a29", "root/a28"]
        assert len(slowest) == 20
