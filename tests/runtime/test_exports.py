from __future__ import annotations

import runtime


def test_the_public_names_are_sorted_and_real() -> None:
    """``__all__`` names everything public, once, in order."""
    public = [
        name for name in vars(runtime) if not name.startswith("_") and name not in {"annotations", "testing"}
    ]
    assert sorted(runtime.__all__) == runtime.__all__
    assert sorted(public) == runtime.__all__
