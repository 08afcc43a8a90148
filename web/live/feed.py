"""The bounded queue of frames for one WebSocket client; a client that falls behind gets a snapshot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

import trio

from .frames import Frame, Position
from .topics import EVERYTHING, Interest

CAPACITY: Final = 1024
MAX_BATCH_BYTES: Final = 65_536
"""Size of a batch: each send to a client has a time limit."""


class Feed:
    """The frames for one client, created by its connection and filled by the hub.

    If a client reads too slowly, all waiting frames are dropped at once, and it
    gets a new snapshot with the number of missed frames. Leaving the ``with``
    block closes the feed; the hub then drops it.
    """

    def __init__(
        self,
        *,
        resume: Position | None = None,
        interest: Interest = EVERYTHING,
        capacity: int = CAPACITY,
    ) -> None:
        self.resume = resume
        """The last frame that the client has, if it reconnects."""
        self.interest = interest
        """The topics and sessions that the client has subscribed to."""
        self.closed = False
        """Whether the client has left."""
        self.position = Position(epoch="", seq=0)
        """The last frame that the client has received."""
        self._capacity = capacity
        self._frames: deque[Frame] = deque()
        self._missed = 0
        self._make_snapshot: Callable[[Feed, int], Frame] | None = None
        self._ended = False
        self._parked = trio.lowlevel.ParkingLot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True
        self._frames.clear()

    # For the hub

    def start(self, epoch: str, first: Iterable[Frame], make_snapshot: Callable[[Feed, int], Frame]) -> None:
        """Start with these frames; ``make_snapshot`` takes the number of missed frames."""
        self.position = Position(epoch=epoch, seq=0)
        self._frames.extend(first)
        self._make_snapshot = make_snapshot
        self._parked.unpark_all()

    def append(self, frame: Frame) -> None:
        """Add a frame if the client has subscribed to it; never waits."""
        if not self.interest.includes(frame.topic, frame.session):
            return
        if self._missed:
            self._missed += 1
        elif len(self._frames) < self._capacity:
            self._frames.append(frame)
        else:
            self.skip(len(self._frames) + 1)
        self._parked.unpark_all()

    def skip(self, missed: int) -> None:
        """Drop the waiting frames and this many more; the client gets a snapshot instead."""
        self._frames.clear()
        self._missed += missed
        self._parked.unpark_all()

    def end(self) -> None:
        """End the feed: the hub adds no more frames."""
        self._ended = True
        self._parked.unpark_all()

    # For the client's connection

    def change_interest(self, interest: Interest) -> None:
        """Change the subscription: drop waiting frames outside of it and add a snapshot."""
        self.interest = interest
        self._frames = deque(frame for frame in self._frames if interest.includes(frame.topic, frame.session))
        if self._make_snapshot is not None:
            self._frames.append(self._make_snapshot(self, 0))
        self._parked.unpark_all()

    async def next_batch(self) -> bytes | None:
        """Wait for frames and return them encoded, up to a size; None after the hub has ended the feed."""
        while not self._ended:
            frame = self._next()
            if frame is not None:
                return self._collect(frame)
            await self._parked.park()
        return None

    def _collect(self, frame: Frame) -> bytes:
        batch, size = [frame.encoded], len(frame.encoded)
        while self._frames and size < MAX_BATCH_BYTES:
            frame = self._frames.popleft()
            batch.append(frame.encoded)
            size += len(frame.encoded)
        self.position = Position(epoch=self.position.epoch, seq=frame.seq)
        # A single frame is not copied: all clients share its bytes.
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _next(self) -> Frame | None:
        if self._missed and self._make_snapshot is not None:
            missed, self._missed = self._missed, 0
            return self._make_snapshot(self, missed)
        return self._frames.popleft() if self._frames else None
