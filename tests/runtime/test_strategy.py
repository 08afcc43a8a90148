from __future__ import annotations

import pytest

from runtime import AutoShutdown, Cause, Restart, Strategy, affected, comes_back, shuts_down


@pytest.mark.parametrize(
    ("restart", "returning"),
    [
        (Restart.PERMANENT, set(Cause)),
        (Restart.TRANSIENT, set(Cause) - {Cause.NORMAL, Cause.SHUTDOWN}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_who_comes_back(restart, returning) -> None:
    """OTP's table of restart types and exit reasons."""
    assert {cause for cause in Cause if comes_back(restart, cause)} == returning


@pytest.mark.parametrize(
    ("strategy", "ids"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
def test_who_is_restarted_with_it(strategy, ids) -> None:
    """The strategy decides about the siblings, in start order."""
    assert affected(strategy, ["a", "b", "c"], "b") == ids


@pytest.mark.parametrize(
    ("auto_shutdown", "significant", "others", "ends"),
    [
        (AutoShutdown.NEVER, False, [], False),
        (AutoShutdown.ANY_SIGNIFICANT, False, [], False),
        (AutoShutdown.ANY_SIGNIFICANT, True, [True, True], True),
        (AutoShutdown.ALL_SIGNIFICANT, True, [False, True], False),
        (AutoShutdown.ALL_SIGNIFICANT, True, [False, False], True),
        (AutoShutdown.ALL_SIGNIFICANT, True, [], True),
        (AutoShutdown.ALL_SIGNIFICANT, False, [], False),
    ],
)
def test_when_the_supervisor_ends_too(auto_shutdown, significant, others, ends) -> None:
    """OTP's automatic shutdown."""
    assert shuts_down(auto_shutdown, significant=significant, others=others) is ends
