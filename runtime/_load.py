"""Load of the process: event-loop lag and the slowest handlers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import trio

MAX_SLOW_HANDLERS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowHandler:
    """The longest time that actors at ``path`` took over one message of a type."""

    path: str
    message: str
    """The type's name."""
    seconds: float
    at: float
    """On trio's clock."""


class SlowHandlers:
    """The slowest pairs of actor and message type."""

    __slots__ = ("_slowest", "threshold")

    def __init__(self) -> None:
        self._slowest: dict[tuple[str, str], SlowHandler] = {}
        self.threshold = 0.0
        """Seconds below which a handler cannot be among the slowest."""

    def record(self, path: str, message: object, seconds: float, at: float) -> None:
        """Record how long an actor took over a message, if it is among the slowest."""
        key = (path, type(message).__name__)
        before = self._slowest.get(key)
        if before is not None and before.seconds >= seconds:
            return
        self._slowest[key] = SlowHandler(path=path, message=key[1], seconds=seconds, at=at)
        if len(self._slowest) > MAX_SLOW_HANDLERS:
            quickest = min(self._slowest.values(), key=lambda handler: handler.seconds)
            del self._slowest[quickest.path, quickest.message]
            self.threshold = min(handler.seconds for handler in self._slowest.values())

    def slowest(self) -> tuple[SlowHandler, ...]:
        """The slowest handlers, slowest first."""
        return tuple(sorted(self._slowest.values(), key=lambda handler: -handler.seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """How late the event loop resumes a sleeping task, in seconds, over the last measurements."""

    samples: int
    latest: float
    median: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Event-loop lag and slowest handlers of one tree."""

    lag: LoopLag | None
    """None when it is not measured."""
    slowest: tuple[SlowHandler, ...]


class LagMeter:
    """Measures event-loop lag by sleeping; a handler that computes for long raises it."""

    def __init__(self, samples: int = 120) -> None:
        self._lags: deque[float] = deque(maxlen=samples)

    async def run(self, period: float) -> None:
        """Measure every ``period`` seconds, for ever."""
        while True:
            due = trio.current_time() + period
            await trio.sleep_until(due)
            self._lags.append(max(0.0, trio.current_time() - due))

    def lag(self) -> LoopLag | None:
        """The lag over the last measurements; None before the first."""
        if not self._lags:
            return None
        ordered = sorted(self._lags)
        return LoopLag(
            samples=len(ordered),
            latest=self._lags[-1],
            median=ordered[len(ordered) // 2],
            worst=ordered[-1],
        )
