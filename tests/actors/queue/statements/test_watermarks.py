"""Where claims start to scan."""

from __future__ import annotations

from actors.queue.statements.watermarks import BOTTOM, FULL_SCAN_SECONDS, RankWatermarks


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_claim_starts_at_the_first_rank_of_the_one_before():
    """Each type has a watermark of its own."""
    watermarks = RankWatermarks(clock=_Clock())
    first = watermarks.cursor(("a", "b"))
    assert (first.watermarks, first.full_scan) == ((BOTTOM, BOTTOM), True)
    watermarks.advance(first, {"a": 7})
    second = watermarks.cursor(("b", "a"))
    assert (second.watermarks, second.full_scan) == ((BOTTOM, 7), False)


def test_a_claim_scans_everything_after_an_interval():
    """It then finds what another instance put below a watermark."""
    clock = _Clock()
    watermarks = RankWatermarks(clock=clock)
    watermarks.advance(watermarks.cursor(("a",)), {"a": 7})
    clock.now = 0.99 * FULL_SCAN_SECONDS
    assert watermarks.cursor(("a",)).watermarks == (7,)
    clock.now = FULL_SCAN_SECONDS
    assert watermarks.cursor(("a",)).full_scan


def test_a_reset_during_a_claim_is_kept():
    """The claim started before the commit, and may not have seen it."""
    watermarks = RankWatermarks(clock=_Clock())
    started = watermarks.cursor(("a",))
    watermarks.reset()
    watermarks.advance(started, {"a": 7})
    assert watermarks.cursor(("a",)).full_scan
