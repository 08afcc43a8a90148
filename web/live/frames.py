"""WebSocket frames: numbered, encoded once for all clients, and kept for clients that reconnect."""

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
    """The last frame that a client has: its number and epoch."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One encoded message."""

    seq: int
    topic: Topic
    session: UUID | None
    """The session that it belongs to, if any."""
    encoded: bytes
    """A WebSocket text frame with its header; the same bytes for every client."""

    @property
    def text(self) -> str:
        """The message without the frame header."""
        return self.encoded[{126: 4, 127: 10}.get(self.encoded[1], 2) :].decode()


def encode(
    kind: str,
    data: Json,
    position: Position,
    timestamp: datetime | None = None,
    *,
    session: UUID | None = None,
    topic: Topic | None = None,
) -> Frame:
    """Encode a message in the envelope of the Compatibility API."""
    envelope = {
        "type": kind,
        "data": data,
        "timestamp": iso(timestamp or datetime.now(UTC)),
        "epoch": position.epoch,
        "seq": position.seq,
    }
    # Escaped to ASCII: a lone surrogate in a portal's text must not break the
    # encoding of a frame for all clients. Values that are no JSON become text.
    payload = json.dumps(envelope, separators=(",", ":"), default=str).encode()
    return Frame(
        seq=position.seq,
        topic=topic or topic_of(kind),
        session=session,
        encoded=_header(len(payload)) + payload,
    )


def _header(length: int) -> bytes:
    """Return the header of an unmasked frame that is a whole text message (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_FINAL_TEXT, length))
    if length < 65_536:
        return struct.pack("!BBH", _FINAL_TEXT, 126, length)
    return struct.pack("!BBQ", _FINAL_TEXT, 127, length)


class FrameLog:
    """Numbers frames from 1 within an epoch, and keeps the latest of each topic for clients that reconnect.

    An epoch lasts as long as the log; positions of other epochs cannot be resumed.
    """

    def __init__(self, epoch: str, *, length: int) -> None:
        self._epoch = epoch
        self._seq = 0
        # By topic, so that a busy topic does not evict the frames of a quiet one.
        self._latest = {topic: deque[Frame](maxlen=length) for topic in Topic}
        self._evicted = dict.fromkeys(Topic, 0)
        """The number of the last evicted frame of each topic."""

    @property
    def position(self) -> Position:
        """The position of a client that has received all frames."""
        return Position(epoch=self._epoch, seq=self._seq)

    def append(
        self,
        kind: str,
        data: Json,
        timestamp: datetime | None = None,
        *,
        session: UUID | None = None,
        topic: Topic | None = None,
    ) -> Frame:
        """Add and return the next frame."""
        self._seq += 1
        frame = encode(kind, data, self.position, timestamp, session=session, topic=topic)
        latest = self._latest[frame.topic]
        if len(latest) == latest.maxlen:
            self._evicted[frame.topic] = latest[0].seq
        latest.append(frame)
        return frame

    def encode_unnumbered(self, kind: str, data: Json) -> Frame:
        """Encode a frame for one client, with the latest number and without adding it to the log."""
        return encode(kind, data, self.position)

    def since(self, position: Position, interest: Interest) -> list[Frame] | None:
        """Return the frames after a position that ``interest`` includes; None if some were evicted."""
        if position.epoch != self._epoch or not 0 <= position.seq <= self._seq:
            return None
        if any(position.seq < self._evicted[topic] for topic in interest.topics):
            return None
        missed = [
            frame
            for topic in interest.topics
            for frame in self._latest[topic]
            if frame.seq > position.seq and interest.includes(topic, frame.session)
        ]
        return sorted(missed, key=lambda frame: frame.seq)
