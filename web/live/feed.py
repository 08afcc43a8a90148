"""The frames that wait for one WebSocket client: bounded, and a snapshot instead of a backlog."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

import trio

from .frames import Frame, Position
from .topics import EVERYTHING, Interest

CAPACITY: Final = 1024
MOST_BYTES: Final = 65_536
"""What is taken at once: a client has a time limit for each send."""


class Feed:
    """Made by the client's connection and filled by the hub.

    A client that reads too slowly loses what waits for it, all at once, and
    gets a fresh snapshot that says how much that was. Leave it by leaving its
    ``with`` block; the hub forgets it then.
    """

    def __init__(
        self,
        *,
        resume: Position | None = None,
        interest: Interest = EVERYTHING,
        capacity: int = CAPACITY,
    ) -> None:
        self.resume = resume
        """Where the client says it was."""
        self.interest = interest
        """What the client wants to be told."""
        self.left = False
        """The client is gone."""
        self.position = Position(epoch="", seq=0)
        """How far the client has come."""
        self._capacity = capacity
        self._waiting: deque[Frame] = deque()
        self._missed = 0
        self._catch_up: Callable[[Feed, int], Frame] | None = None
        self._ended = False
        self._reader = trio.lowlevel.ParkingLot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.left = True
        self._waiting.clear()

    # The hub's side

    def begin(self, epoch: str, first: Iterable[Frame], catch_up: Callable[[Feed, int], Frame]) -> None:
        """Start with these frames; ``catch_up`` makes a snapshot for one who missed so many."""
        self.position = Position(epoch=epoch, seq=0)
        self._waiting.extend(first)
        self._catch_up = catch_up
        self._reader.unpark_all()

    def offer(self, frame: Frame) -> None:
        """Add a frame, if the client wants it; never waits."""
        if not self.interest.wants(frame.topic, frame.session):
            return
        if self._missed:
            self._missed += 1
        elif len(self._waiting) < self._capacity:
            self._waiting.append(frame)
        else:
            self.skip(len(self._waiting) + 1)
        self._reader.unpark_all()

    def skip(self, missed: int) -> None:
        """Give up what waits, for a snapshot."""
        self._waiting.clear()
        self._missed += missed
        self._reader.unpark_all()

    def end(self) -> None:
        """No more frames will come."""
        self._ended = True
        self._reader.unpark_all()

    # The client's side

    def turn_to(self, interest: Interest) -> None:
        """From now on tell what the client wants now, beginning with how that stands."""
        self.interest = interest
        self._waiting = deque(frame for frame in self._waiting if interest.wants(frame.topic, frame.session))
        if self._catch_up is not None:
            self._waiting.append(self._catch_up(self, 0))
        self._reader.unpark_all()

    async def take(self) -> bytes | None:
        """All that waits, up to a size, as it goes over the network; None once the hub ended the feed."""
        while not self._ended:
            frame = self._next()
            if frame is not None:
                return self._collect(frame)
            await self._reader.park()
        return None

    def _collect(self, frame: Frame) -> bytes:
        batch, size = [frame.wire], len(frame.wire)
        while self._waiting and size < MOST_BYTES:
            frame = self._waiting.popleft()
            batch.append(frame.wire)
            size += len(frame.wire)
        self.position = Position(epoch=self.position.epoch, seq=frame.seq)
        # A lone frame stays the one object that all clients share.
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _next(self) -> Frame | None:
        if self._missed and self._catch_up is not None:
            missed, self._missed = self._missed, 0
            return self._catch_up(self, missed)
        return self._waiting.popleft() if self._waiting else None
