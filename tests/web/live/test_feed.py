from __future__ import annotations

import trio
import trio.testing

from web.live.feed import MAX_BATCH_BYTES, Feed
from web.live.frames import Frame
from web.live.topics import Interest, Topic


def frame(seq: int, encoded: bytes = b"", *, topic: Topic = Topic.TREE) -> Frame:
    return Frame(seq=seq, topic=topic, session=None, encoded=encoded or b"<%d>" % seq)


def snapshot(feed: Feed, missed: int) -> Frame:
    return frame(99, b"snapshot after %d" % missed)


async def test_frames_come_in_order():
    """All waiting frames are one batch; the position is that of the last one."""
    feed = Feed()
    feed.start("e", [frame(1)], snapshot)
    feed.append(frame(2))
    assert await feed.next_batch() == b"<1><2>"
    feed.append(frame(3))
    assert await feed.next_batch() == b"<3>"
    assert (feed.position.epoch, feed.position.seq) == ("e", 3)


async def test_a_batch_has_a_maximum_size():
    """Larger amounts are split."""
    feed = Feed()
    feed.start("e", [frame(n, b"x" * MAX_BATCH_BYTES) for n in (1, 2)], snapshot)
    assert len(await feed.next_batch()) == MAX_BATCH_BYTES
    assert feed.position.seq == 1


async def test_frames_outside_of_the_subscription_are_dropped():
    """They are not counted as missed."""
    feed = Feed(interest=Interest(topics=frozenset({Topic.JOBS})), capacity=1)
    feed.start("e", [], snapshot)
    for seq in (1, 2, 3):
        feed.append(frame(seq))
    feed.append(frame(4, topic=Topic.JOBS))
    assert await feed.next_batch() == b"<4>"


async def test_a_new_interest_begins_with_a_snapshot():
    """After the waiting frames that are still part of it."""
    feed = Feed()
    feed.start("e", [frame(1), frame(2, topic=Topic.JOBS)], snapshot)
    feed.change_interest(Interest(topics=frozenset({Topic.JOBS})))
    feed.append(frame(3))
    assert await feed.next_batch() == b"<2>snapshot after 0"


async def test_a_reader_waits_for_the_next_frame():
    """``next_batch`` sleeps until there is one."""
    feed = Feed()
    feed.start("e", [], snapshot)
    async with trio.open_nursery() as nursery:
        taken = []

        async def read():
            taken.append(await feed.next_batch())

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert not taken
        feed.append(frame(1))
    assert taken == [b"<1>"]


async def test_a_slow_reader_gets_a_snapshot_and_no_backlog():
    """All waiting frames are dropped, and counted until the next read."""
    feed = Feed(capacity=3)
    feed.start("e", [frame(1), frame(2), frame(3)], snapshot)
    feed.append(frame(4))
    feed.append(frame(5))
    assert await feed.next_batch() == b"snapshot after 5"
    feed.append(frame(100))
    assert await feed.next_batch() == b"<100>"


async def test_events_missed_by_the_hub_lead_to_a_snapshot():
    """They are missing in every feed."""
    feed = Feed()
    feed.start("e", [frame(1)], snapshot)
    feed.skip(7)
    assert await feed.next_batch() == b"snapshot after 7"


async def test_an_ended_feed_has_no_more_frames():
    """A waiting reader returns."""
    feed = Feed()
    feed.start("e", [], snapshot)
    async with trio.open_nursery() as nursery:

        async def read():
            assert await feed.next_batch() is None

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        feed.end()


async def test_leaving_the_block_closes_the_feed():
    """The hub then drops it."""
    with Feed() as feed:
        assert not feed.closed
    assert feed.closed
