"""What goes over a WebSocket: numbered, encoded once for all clients, and remembered for a while."""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ..api.serializers import Json, iso
from .topics import Interest, Topic, topic_of

_FINAL_TEXT: Final = 0x81


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a client had come: the last number it saw, and in which epoch."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message, ready to be sent."""

    seq: int
    topic: Topic
    session: UUID | None
    """The session that it is about, where there is one."""
    wire: bytes
    """A WebSocket's text frame, header and all: what a server sends is the same bytes for every client."""

    @property
    def text(self) -> str:
        """The message without the frame's header."""
        return self.wire[{126: 4, 127: 10}.get(self.wire[1], 2) :].decode()


def encode(
    kind: str,
    data: Json,
    position: Position,
    timestamp: datetime | None = None,
    *,
    session: UUID | None = None,
) -> Frame:
    """Put data into the Compatibility API's envelope."""
    envelope = {
        "type": kind,
        "data": data,
        "timestamp": iso(timestamp or datetime.now(UTC)),
        "epoch": position.epoch,
        "seq": position.seq,
    }
    # Escaped to ASCII: half a surrogate pair in a portal's text must not break
    # the encoding of a frame, which goes to everybody. What is no JSON is told as text.
    payload = json.dumps(envelope, separators=(",", ":"), default=str).encode()
    return Frame(
        seq=position.seq, topic=topic_of(kind), session=session, wire=_header(len(payload)) + payload
    )


def _header(length: int) -> bytes:
    """The head of an unmasked frame that is a whole message of text (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_FINAL_TEXT, length))
    if length < 65_536:
        return struct.pack("!BBH", _FINAL_TEXT, 126, length)
    return struct.pack("!BBQ", _FINAL_TEXT, 127, length)


class FrameLog:
    """Numbers frames from 1 within an epoch, and keeps each topic's latest for clients that come back.

    An epoch ends with the log: numbers of another epoch say nothing here.
    """

    def __init__(self, epoch: str, *, length: int) -> None:
        self._epoch = epoch
        self._seq = 0
        # By topic, so that a busy one does not push out what happened in a quiet one.
        self._latest = {topic: deque[Frame](maxlen=length) for topic in Topic}
        self._forgotten = dict.fromkeys(Topic, 0)
        """The last number of each topic that is not kept any more."""

    @property
    def position(self) -> Position:
        """Where somebody stands who has seen all."""
        return Position(epoch=self._epoch, seq=self._seq)

    def append(
        self,
        kind: str,
        data: Json,
        timestamp: datetime | None = None,
        *,
        session: UUID | None = None,
    ) -> Frame:
        """The next frame for everybody who wants it."""
        self._seq += 1
        frame = encode(kind, data, self.position, timestamp, session=session)
        latest = self._latest[frame.topic]
        if len(latest) == latest.maxlen:
            self._forgotten[frame.topic] = latest[0].seq
        latest.append(frame)
        return frame

    def aside(self, kind: str, data: Json) -> Frame:
        """A frame for one client only; it bears the latest number and takes none."""
        return encode(kind, data, self.position)

    def since(self, position: Position, interest: Interest) -> list[Frame] | None:
        """What came after a position, of what is wanted; None where that is not known any more."""
        if position.epoch != self._epoch or not 0 <= position.seq <= self._seq:
            return None
        if any(position.seq < self._forgotten[topic] for topic in interest.topics):
            return None
        missed = [
            frame
            for topic in interest.topics
            for frame in self._latest[topic]
            if frame.seq > position.seq and interest.wants(topic, frame.session)
        ]
        return sorted(missed, key=lambda frame: frame.seq)
