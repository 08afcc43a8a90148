from __future__ import annotations

import pytest

from actors.queue.priority import HIGHEST, LOWEST, from_number


@pytest.mark.parametrize(
    ("named", "meant"),
    [(0, 0), (10, 10), (-5, -5), (HIGHEST + 1, HIGHEST), (LOWEST - 1, LOWEST), (10**9, HIGHEST)],
)
def test_a_number_beyond_the_limits_counts_as_the_limit(named: int, meant: int) -> None:
    """Any other is the priority itself."""
    assert from_number(named) == meant
