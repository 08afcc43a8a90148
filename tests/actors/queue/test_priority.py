from __future__ import annotations

import pytest

from actors.queue.priority import MAX_PRIORITY, MIN_PRIORITY, clamp_priority


@pytest.mark.parametrize(
    ("number", "priority"),
    [
        (0, 0),
        (10, 10),
        (-5, -5),
        (MAX_PRIORITY + 1, MAX_PRIORITY),
        (MIN_PRIORITY - 1, MIN_PRIORITY),
        (10**9, MAX_PRIORITY),
    ],
)
def test_a_number_beyond_a_limit_counts_as_the_limit(number: int, priority: int) -> None:
    """Any other number is the priority itself."""
    assert clamp_priority(number) == priority
