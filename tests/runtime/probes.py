"""Actors that log what happens to them, and specs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from runtime import Actor, Address, Backoff, ChildSpec, Exit, Repeatable, Request, SupervisorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class FailInBackground:
    """Fail in a background task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopItself:
    """End without an error."""


class Ping(Request[int]):
    """The reply is the number of the incarnation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison(Repeatable):
    """Crashes incarnations up to the ``last`` one; later ones log that they handled it."""

    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonRequest(Poison, Request[int]):
    pass


class Unavailable(Exception):
    """A dependency of :class:`Probe` is unavailable."""


class Probe(Actor[object]):
    """Logs what happens to it."""

    dependency_errors = (Unavailable,)

    def __init__(
        self, name: str, log: list[str], *, incarnation: int = 1, start_error: Exception | None = None
    ) -> None:
        self.name = name
        self.log = log
        self.incarnation = incarnation
        self.start_error = start_error
        self.ended: Exit | None = None

    async def started(self) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.log.append(f"{self.name} started")

    async def handle(self, message: object) -> object:
        match message:
            case Ping():
                return self.incarnation
            case Crash(error=error):
                raise error
            case FailInBackground():
                self.context.nursery.start_soon(self.fail)
                return None
            case StopItself():
                self.context.stop()
                return None
            case Poison(last=last) if self.incarnation <= last:
                raise ValueError("poison")
            case Poison():
                self.log.append(f"{self.name} handled")
                return self.incarnation
            case _:
                self.log.append(f"{self.name} got {message}")
                return None

    async def fail(self) -> None:
        raise ValueError("background")

    async def stopped(self, reason: Exit) -> None:
        self.ended = reason
        self.log.append(f"{self.name} stopped")


class Stubborn(Actor[object]):
    """Does not end when it is stopped: its cleanup never ends."""

    async def stopped(self, reason: Exit) -> None:
        await trio.sleep_forever()


AT_ONCE = Backoff(minimum=0, maximum=0)


def probes(name: str, log: list[str]) -> Callable[[], Probe]:
    """A factory that numbers the incarnations it makes."""
    incarnations = iter(range(1, 10_000))
    return lambda: Probe(name, log, incarnation=next(incarnations))


def child(name: str, log: list[str], **options) -> ChildSpec:
    options.setdefault("backoff", Backoff(minimum=1, maximum=8, jitter=0))
    return ChildSpec(address=Address(name), start=probes(name, log), **options)


def root(*children: ChildSpec | SupervisorSpec, **options) -> SupervisorSpec:
    options.setdefault("address", Address("root"))
    return SupervisorSpec(children=children, **options)


async def crash(spec: ChildSpec) -> None:
    await spec.address.tell(Crash(error=ValueError("no")))
