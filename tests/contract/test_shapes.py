"""``shapes`` finds values that do not fit."""

from __future__ import annotations

import pytest

from .shapes import Each, check, misfits


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (1, "int"),
        (None, "str?"),
        (0.5, "number"),
        ("2026-01-01T00:00:00+00:00", "datetime"),
        ("a", {"a", "b"}),
        ([1, 2], ["int"]),
        ({"a": 1, "more": 2}, {"a": "int"}),
        ({}, {"a?": "int"}),
        ({"7": 1}, Each(int, "int")),
    ],
)
def test_what_fits_passes(value, shape) -> None:
    """A value of the shape has no misfits."""
    check(value, shape)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (True, "int"),
        ("1", "int"),
        (None, "str"),
        ("2026-01-01T00:00:00", "datetime"),
        ("c", {"a", "b"}),
        ({}, ["int"]),
        ([1, "2"], ["int"]),
        ({}, {"a": "int"}),
        ({"a": "x"}, {"a?": "int"}),
        ({"noon": 1}, Each(int, "int")),
        ([], {"a": "int"}),
    ],
)
def test_what_does_not_fit_is_found(value, shape) -> None:
    """A value of another shape has one misfit at least."""
    assert list(misfits(value, shape))
