"""Text as it is fit for a terminal."""

from __future__ import annotations

from web.cli.render.output import plain, span


def test_spans_are_told_in_two_units():
    """As people say them."""
    assert [span(s) for s in (0.4, 59, 60, 3_599, 3_600, 90_061)] == [
        "0s",
        "59s",
        "1m 0s",
        "59m 59s",
        "1h 0m",
        "1d 1h",
    ]


def test_text_from_elsewhere_stays_on_its_line():
    """No control character gets through."""
    assert plain("a\n b\t\x1b[2Jc\x00") == "a b \N{REPLACEMENT CHARACTER}[2Jc\N{REPLACEMENT CHARACTER}"
