from __future__ import annotations

import json
from uuid import UUID

import pytest

from web.frames import FrameLog, Position, encode

from .parts import NOON


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
    missed = log.since(position)
    assert (None if missed is None else [frame.seq for frame in missed]) == expected
