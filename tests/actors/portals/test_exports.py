from __future__ import annotations

import actors.portals


def test_all_is_sorted_and_importable():
    """Every name in `__all__` exists."""
    names = actors.portals.__all__
    assert sorted(names) == names
    assert all(hasattr(actors.portals, name) for name in names)
