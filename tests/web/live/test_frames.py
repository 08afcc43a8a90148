from __future__ import annotations

import json
from uuid import UUID

import pytest

from web.live.frames import FrameLog, Position, encode
from web.live.topics import EVERYTHING, Interest, Topic

from ...builders import NOON
from .. import raw_client


def test_the_envelope_has_a_position():
    """Type, data and timestamp as in the contract, and epoch and number."""
    frame = encode("error", {"message": "m"}, Position(epoch="e", seq=3), NOON)
    assert json.loads(frame.text) == {
        "type": "error",
        "data": {"message": "m"},
        "timestamp": "2026-03-01T12:00:00+00:00",
        "epoch": "e",
        "seq": 3,
    }


def test_a_lone_surrogate_can_be_sent():
    """Text from a portal does not break the frame for all clients."""
    assert encode("error", {"message": "\ud800"}, Position(epoch="e", seq=1)).text.encode()


def test_values_that_are_no_json_become_text():
    """The data of recorded events may have any values."""
    frame = encode("error", {"id": UUID(int=1)}, Position(epoch="e", seq=1))
    assert json.loads(frame.text)["data"]["id"] == str(UUID(int=1))


@pytest.mark.parametrize("size", [0, 30, 200, 70_000])
def test_a_frame_has_its_header(size):
    """Its length is in the shortest form."""
    frame = encode("error", {"message": "m" * size}, Position(epoch="e", seq=1), NOON)
    assert raw_client.texts(frame.encoded) == [frame.text]
    assert len(json.loads(frame.text)["data"]["message"]) == size


def test_only_published_frames_are_numbered():
    """A frame for one client has the latest number."""
    log = FrameLog("e", length=10)
    assert [log.append("a", {}).seq, log.encode_unnumbered("b", {}).seq, log.append("c", {}).seq] == [1, 1, 2]


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
def test_missed_frames_are_kept_up_to_a_limit(position, expected):
    """Older, future and foreign positions cannot be resumed."""
    log = FrameLog("e", length=3)
    for _ in range(5):
        log.append("a", {})
    missed = log.since(position, EVERYTHING)
    assert (None if missed is None else [frame.seq for frame in missed]) == expected


def test_a_busy_topic_does_not_evict_another():
    """A client of the quiet topic misses nothing."""
    log = FrameLog("e", length=3)
    log.append("queue_update", {})
    for _ in range(5):
        log.append("job_processed", {})
    start = Position(epoch="e", seq=0)
    quiet = log.since(start, Interest(topics=frozenset({Topic.QUEUE})))
    assert quiet is not None
    assert [frame.seq for frame in quiet] == [1]
    assert log.since(start, EVERYTHING) is None


def test_missed_frames_come_in_order():
    """Across topics."""
    log = FrameLog("e", length=10)
    for kind in ("queue_update", "job_processed", "error", "queue_update"):
        log.append(kind, {})
    missed = log.since(Position(epoch="e", seq=1), EVERYTHING)
    assert missed is not None
    assert [frame.seq for frame in missed] == [2, 3, 4]
