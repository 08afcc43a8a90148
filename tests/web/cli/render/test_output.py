"""Formatting of output for a terminal."""

from __future__ import annotations

from web.cli.render.output import plain, span


def test_durations_have_two_units():
    """The largest two."""
    assert [span(s) for s in (0.4, 59, 60, 3_599, 3_600, 90_061)] == [
        "0s",
        "59s",
        "1m 0s",
        "59m 59s",
        "1h 0m",
        "1d 1h",
    ]


def test_untrusted_text_is_one_plain_line():
    """Control characters are replaced."""
    assert plain("a\n b\t\x1b[2Jc\x00") == "a b \N{REPLACEMENT CHARACTER}[2Jc\N{REPLACEMENT CHARACTER}"
