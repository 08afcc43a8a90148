"""Where the time goes: how late the event loop is, and which handlers took longest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import trio

SLOWEST_KEPT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowHandler:
    """The longest that actors at ``path`` took over one message of a type."""

    path: str
    message: str
    """The type's name."""
    seconds: float
    at: float
    """On trio's clock."""


class SlowHandlers:
    """The slowest pairs of an actor and a message's type."""

    __slots__ = ("_slowest", "floor")

    def __init__(self) -> None:
        self._slowest: dict[tuple[str, str], SlowHandler] = {}
        self.floor = 0.0
        """What took less is not worth noting."""

    def note(self, path: str, message: object, seconds: float, at: float) -> None:
        key = (path, type(message).__name__)
        before = self._slowest.get(key)
        if before is not None and before.seconds >= seconds:
            return
        self._slowest[key] = SlowHandler(path=path, message=key[1], seconds=seconds, at=at)
        if len(self._slowest) > SLOWEST_KEPT:
            quickest = min(self._slowest.values(), key=lambda handler: handler.seconds)
            del self._slowest[quickest.path, quickest.message]
            self.floor = min(handler.seconds for handler in self._slowest.values())

    def slowest(self) -> tuple[SlowHandler, ...]:
        """Slowest first."""
        return tuple(sorted(self._slowest.values(), key=lambda handler: -handler.seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """How much later than asked the event loop woke a task, in seconds, over the last measurements."""

    samples: int
    latest: float
    median: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Where the time of the process goes."""

    lag: LoopLag | None
    """None when it is not measured."""
    slowest: tuple[SlowHandler, ...]


class LagMeter:
    """Sleeps, and notes how much too long; a handler that computes for long shows here."""

    def __init__(self, samples: int = 120) -> None:
        self._lags: deque[float] = deque(maxlen=samples)

    async def run(self, period: float) -> None:
        while True:
            due = trio.current_time() + period
            await trio.sleep_until(due)
            self._lags.append(max(0.0, trio.current_time() - due))

    def lag(self) -> LoopLag | None:
        if not self._lags:
            return None
        ordered = sorted(self._lags)
        return LoopLag(
            samples=len(ordered),
            latest=self._lags[-1],
            median=ordered[len(ordered) // 2],
            worst=ordered[-1],
        )
