from __future__ import annotations

import actors.portals


def test_the_public_names_are_sorted_and_there():
    """What the package promises is what it has."""
    names = actors.portals.__all__
    assert sorted(names) == names
    assert all(hasattr(actors.portals, name) for name in names)
