"""Where claims begin to look."""

from __future__ import annotations

from actors.queue.statements.watermarks import BOTTOM, LOOK_SECONDS, RankWatermarks


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_claim_begins_where_the_one_before_found_the_first():
    """Each type has a floor of its own."""
    floors = RankWatermarks(clock=_Clock())
    first = floors.look(("a", "b"))
    assert (first.floors, first.whole) == ((BOTTOM, BOTTOM), True)
    floors.found(first, {"a": 7})
    second = floors.look(("b", "a"))
    assert (second.floors, second.whole) == ((BOTTOM, 7), False)


def test_every_so_often_a_claim_looks_at_everything():
    """What another instance put below a floor is seen then."""
    clock = _Clock()
    floors = RankWatermarks(clock=clock)
    floors.found(floors.look(("a",)), {"a": 7})
    clock.now = 0.99 * LOOK_SECONDS
    assert floors.look(("a",)).floors == (7,)
    clock.now = LOOK_SECONDS
    assert floors.look(("a",)).whole


def test_what_was_committed_during_a_look_is_not_hidden_by_it():
    """A look that began before it may not have seen it."""
    floors = RankWatermarks(clock=_Clock())
    began = floors.look(("a",))
    floors.forget()
    floors.found(began, {"a": 7})
    assert floors.look(("a",)).whole
