"""What goes over a WebSocket: numbered, encoded once for all clients, and remembered for a while."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from .schemas import Json, iso


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a client had come: the last number it saw, and in which epoch."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message, ready to be sent."""

    seq: int
    text: str


def encode(kind: str, data: Json, position: Position, timestamp: datetime | None = None) -> Frame:
    """Put data into the contract's envelope."""
    envelope = {
        "type": kind,
        "data": data,
        "timestamp": iso(timestamp or datetime.now(UTC)),
        "epoch": position.epoch,
        "seq": position.seq,
    }
    # Escaped to ASCII: half a surrogate pair in a portal's text must not break
    # the encoding of a frame, which goes to everybody. What is no JSON is told as text.
    return Frame(seq=position.seq, text=json.dumps(envelope, separators=(",", ":"), default=str))


class FrameLog:
    """Numbers frames from 1 within an epoch, and keeps the latest for clients that come back.

    An epoch ends with the log: numbers of another epoch say nothing here.
    """

    def __init__(self, epoch: str, *, length: int) -> None:
        self._epoch = epoch
        self._seq = 0
        self._latest: deque[Frame] = deque(maxlen=length)

    @property
    def position(self) -> Position:
        """Where somebody stands who has seen all."""
        return Position(epoch=self._epoch, seq=self._seq)

    def append(self, kind: str, data: Json, timestamp: datetime | None = None) -> Frame:
        """The next frame for everybody."""
        self._seq += 1
        frame = encode(kind, data, self.position, timestamp)
        self._latest.append(frame)
        return frame

    def aside(self, kind: str, data: Json) -> Frame:
        """A frame for one client only; it bears the latest number and takes none."""
        return encode(kind, data, self.position)

    def since(self, position: Position) -> list[Frame] | None:
        """What came after a position; None where that is not known any more."""
        if position.epoch != self._epoch or not 0 <= position.seq <= self._seq:
            return None
        if position.seq < self._seq - len(self._latest):
            return None
        return [frame for frame in self._latest if frame.seq > position.seq]
