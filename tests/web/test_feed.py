from __future__ import annotations

import trio
import trio.testing

from web.feed import Feed
from web.frames import Frame


def frame(seq: int, text: str = "") -> Frame:
    return Frame(seq=seq, text=text)


def snapshot(missed: int) -> Frame:
    return frame(99, f"snapshot after {missed}")


async def test_frames_come_in_order():
    """The first ones, then what is offered; the position follows."""
    feed = Feed()
    feed.begin("e", [frame(1)], snapshot)
    feed.offer(frame(2))
    assert [(await feed.take()).seq, (await feed.take()).seq] == [1, 2]
    assert (feed.position.epoch, feed.position.seq) == ("e", 2)


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
    assert [one.seq for one in taken] == [1]


async def test_a_slow_reader_gets_a_snapshot_and_no_backlog():
    """All that waited is dropped, and counted until the reader comes back."""
    feed = Feed(capacity=3)
    feed.begin("e", [frame(1), frame(2), frame(3)], snapshot)
    feed.offer(frame(4))
    feed.offer(frame(5))
    assert (await feed.take()).text == "snapshot after 5"
    feed.offer(frame(100))
    assert (await feed.take()).seq == 100


async def test_the_hubs_own_gap_is_a_snapshot_too():
    """Events that the hub itself lost are missing in every feed."""
    feed = Feed()
    feed.begin("e", [frame(1)], snapshot)
    feed.skip(7)
    assert (await feed.take()).text == "snapshot after 7"


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
