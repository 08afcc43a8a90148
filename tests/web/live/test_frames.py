from __future__ import annotations

import json
from uuid import UUID

import pytest

from web.live.frames import FrameLog, Position, encode
from web.live.topics import EVERYTHING, Interest, Topic

from .. import wire
from ..parts.views import NOON


def test_the_envelope_is_the_contracts_with_a_position():
    """type, data and timestamp, and where it stands in which epoch."""
    frame = encode("error", {"message": "m"}, Position(epoch="e", seq=3), NOON)
    assert json.loads(frame.text) == {
        "type": "error",
        "data": {"message": "m"},
        "timestamp": "2026-03-01T12:00:00+00:00",
        "epoch": "e",
        "seq": 3,
    }


def test_text_that_is_half_a_character_can_be_sent():
    """A lone surrogate from a portal does not break the frame for everybody."""
    assert encode("error", {"message": "\ud800"}, Position(epoch="e", seq=1)).text.encode()


def test_what_is_no_json_is_told_as_text():
    """Facts carry whatever their writers put in."""
    frame = encode("error", {"id": UUID(int=1)}, Position(epoch="e", seq=1))
    assert json.loads(frame.text)["data"]["id"] == str(UUID(int=1))


@pytest.mark.parametrize("size", [0, 30, 200, 70_000])
def test_a_frame_is_ready_for_the_network(size):
    """Its header says how long it is, in the shortest way."""
    frame = encode("error", {"message": "m" * size}, Position(epoch="e", seq=1), NOON)
    assert wire.texts(frame.wire) == [frame.text]
    assert len(json.loads(frame.text)["data"]["message"]) == size


def test_numbers_count_frames_for_everybody():
    """A frame aside bears the latest number and takes none."""
    log = FrameLog("e", length=10)
    assert [log.append("a", {}).seq, log.aside("b", {}).seq, log.append("c", {}).seq] == [1, 1, 2]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position(epoch="e", seq=5), []),
        (Position(epoch="e", seq=3), [4, 5]),
        (Position(epoch="e", seq=2), [3, 4, 5]),
        (Position(epoch="e", seq=1), None),
        (Position(epoch="e", seq=6), None),
        (Position(epoch="other", seq=4), None),
    ],
)
def test_what_was_missed_is_known_for_a_while(position, expected):
    """Beyond what is remembered, in the future and in another epoch it is not."""
    log = FrameLog("e", length=3)
    for _ in range(5):
        log.append("a", {})
    missed = log.since(position, EVERYTHING)
    assert (None if missed is None else [frame.seq for frame in missed]) == expected


def test_a_busy_topic_does_not_push_out_another():
    """Each is remembered for as long; who wants only the quiet one misses nothing."""
    log = FrameLog("e", length=3)
    log.append("queue_update", {})
    for _ in range(5):
        log.append("job_processed", {})
    start = Position(epoch="e", seq=0)
    quiet = log.since(start, Interest(topics=frozenset({Topic.QUEUE})))
    assert quiet is not None
    assert [frame.seq for frame in quiet] == [1]
    assert log.since(start, EVERYTHING) is None


def test_what_was_missed_comes_in_order_of_its_numbers():
    """Whatever the topics."""
    log = FrameLog("e", length=10)
    for kind in ("queue_update", "job_processed", "error", "queue_update"):
        log.append(kind, {})
    missed = log.since(Position(epoch="e", seq=1), EVERYTHING)
    assert missed is not None
    assert [frame.seq for frame in missed] == [2, 3, 4]
