from __future__ import annotations

import trio
import trio.testing

from web.live.feed import MOST_BYTES, Feed
from web.live.frames import Frame
from web.live.topics import Interest, Topic


def frame(seq: int, wire: bytes = b"", *, topic: Topic = Topic.TREE) -> Frame:
    return Frame(seq=seq, topic=topic, session=None, wire=wire or b"<%d>" % seq)


def snapshot(feed: Feed, missed: int) -> Frame:
    return frame(99, b"snapshot after %d" % missed)


async def test_frames_come_in_order():
    """The first ones, then what is offered, as many at once as wait; the position follows."""
    feed = Feed()
    feed.begin("e", [frame(1)], snapshot)
    feed.offer(frame(2))
    assert await feed.take() == b"<1><2>"
    feed.offer(frame(3))
    assert await feed.take() == b"<3>"
    assert (feed.position.epoch, feed.position.seq) == ("e", 3)


async def test_not_more_is_taken_than_can_be_sent_in_time():
    """What is large is taken in pieces."""
    feed = Feed()
    feed.begin("e", [frame(n, b"x" * MOST_BYTES) for n in (1, 2)], snapshot)
    assert len(await feed.take()) == MOST_BYTES
    assert feed.position.seq == 1


async def test_what_is_not_wanted_is_not_taken():
    """Nor counted when it is missed."""
    feed = Feed(interest=Interest(topics=frozenset({Topic.JOBS})), capacity=1)
    feed.begin("e", [], snapshot)
    for seq in (1, 2, 3):
        feed.offer(frame(seq))
    feed.offer(frame(4, topic=Topic.JOBS))
    assert await feed.take() == b"<4>"


async def test_a_new_interest_begins_with_a_snapshot():
    """After what waits and is still wanted."""
    feed = Feed()
    feed.begin("e", [frame(1), frame(2, topic=Topic.JOBS)], snapshot)
    feed.turn_to(Interest(topics=frozenset({Topic.JOBS})))
    feed.offer(frame(3))
    assert await feed.take() == b"<2>snapshot after 0"


async def test_a_reader_waits_for_the_next_frame():
    """take sleeps until there is one."""
    feed = Feed()
    feed.begin("e", [], snapshot)
    async with trio.open_nursery() as nursery:
        taken = []

        async def read():
            taken.append(await feed.take())

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert not taken
        feed.offer(frame(1))
    assert taken == [b"<1>"]


async def test_a_slow_reader_gets_a_snapshot_and_no_backlog():
    """All that waited is dropped, and counted until the reader comes back."""
    feed = Feed(capacity=3)
    feed.begin("e", [frame(1), frame(2), frame(3)], snapshot)
    feed.offer(frame(4))
    feed.offer(frame(5))
    assert await feed.take() == b"snapshot after 5"
    feed.offer(frame(100))
    assert await feed.take() == b"<100>"


async def test_the_hubs_own_gap_is_a_snapshot_too():
    """Events that the hub itself lost are missing in every feed."""
    feed = Feed()
    feed.begin("e", [frame(1)], snapshot)
    feed.skip(7)
    assert await feed.take() == b"snapshot after 7"


async def test_an_ended_feed_has_no_more_frames():
    """Also for a reader that waits."""
    feed = Feed()
    feed.begin("e", [], snapshot)
    async with trio.open_nursery() as nursery:

        async def read():
            assert await feed.take() is None

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        feed.end()


async def test_leaving_is_seen():
    """The hub forgets a feed whose block was left."""
    with Feed() as feed:
        assert not feed.left
    assert feed.left
