"""Actors that write down what happens to them, and specs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from runtime import Actor, Address, Backoff, ChildSpec, Exit, Repeatable, Request, SupervisorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Quit:
    """Let a background task end the actor with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """End without an error."""


class Ping(Request[int]):
    """Answered with the incarnation's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison(Repeatable):
    """Crashes incarnations up to the ``last`` one; others write down that they handled it."""

    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonRequest(Poison, Request[int]):
    pass


class Away(Exception):
    pass


class Probe(Actor[object]):
    """Writes down what happens to it."""

    absences = (Away,)

    def __init__(
        self, name: str, log: list[str], *, life: int = 1, start_error: Exception | None = None
    ) -> None:
        self.name = name
        self.log = log
        self.life = life
        self.start_error = start_error
        self.ended: Exit | None = None

    async def started(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.log.append(f"{self.name} started")

    async def handle(self, message: object) -> object:
        match message:
            case Ping():
                return self.life
            case Crash(error=error):
                raise error
            case Quit():
                self.context.nursery.start_soon(self.fail)
                return None
            case Leave():
                self.context.stop()
                return None
            case Poison(last=last) if self.life <= last:
                raise ValueError("poison")
            case Poison():
                self.log.append(f"{self.name} handled")
                return self.life
            case _:
                self.log.append(f"{self.name} got {message}")
                return None

    async def fail(self) -> None:
        raise ValueError("background")

    async def stopped(self, reason: Exit) -> None:
        self.ended = reason
        self.log.append(f"{self.name} stopped")


class Stubborn(Actor[object]):
    """Does not end when asked to: its last words never end."""

    async def stopped(self, reason: Exit) -> None:
        await trio.sleep_forever()


AT_ONCE = Backoff(minimum=0, maximum=0)


def probes(name: str, log: list[str]) -> Callable[[], Probe]:
    """A factory that numbers the incarnations it makes."""
    lives = iter(range(1, 10_000))
    return lambda: Probe(name, log, life=next(lives))


def child(name: str, log: list[str], **options) -> ChildSpec:
    options.setdefault("backoff", Backoff(minimum=1, maximum=8, jitter=0))
    return ChildSpec(address=Address(name), start=probes(name, log), **options)


def root(*children: ChildSpec | SupervisorSpec, **options) -> SupervisorSpec:
    options.setdefault("address", Address("root"))
    return SupervisorSpec(children=children, **options)


async def crash(spec: ChildSpec) -> None:
    await spec.address.tell(Crash(error=ValueError("no")))
