from __future__ import annotations

import re

import pytest

from actors.queue.messages import DedupMode, InvalidTask, NewTask, RetryRule
from actors.queue.statements.adding import check, check_key, check_priority


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (
            NewTask(type="Login"),
            "'Login' is not a task type: use at most 100 lower-case letters, digits,"
            " '_', '-' and '.', a letter first",
        ),
        (NewTask(type="a", priority=1001), "priority 1001 is not from -1000 to 1000"),
        (NewTask(type="a", max_attempts=0), "max_attempts 0 is not from 1 to 1000"),
        (NewTask(type="a", timeout_seconds=0), "timeout_seconds 0 is not from 0.001 to 86400"),
        (NewTask(type="a", retry=RetryRule(jitter=2)), "retry.jitter 2 is not from 0 to 1"),
        (NewTask(type="a", group=""), "group '' is not from 1 to 100 characters long"),
        (NewTask(type="a", group="g" * 101), f"group '{'g' * 60}' is not from 1 to 100 characters long"),
    ],
)
def test_an_invalid_option_is_refused_with_its_name_value_and_limit(task: NewTask, sentence: str) -> None:
    """The value is shortened."""
    with pytest.raises(InvalidTask, match=f"^{re.escape(sentence)}$"):
        check(task)


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (NewTask(type="a", idempotency_key=""), "idempotency_key '' is not from 1 to 255 characters long"),
        (NewTask(type="a", dedup_seconds=-1), "dedup_seconds -1 is not from 0 to 31622400"),
        (
            NewTask(type="a", idempotency_key="k", dedup_seconds=1),
            "dedup_seconds 1 is only for dedup throttle and debounce",
        ),
        (
            NewTask(type="a", dedup=DedupMode.THROTTLE, dedup_seconds=1),
            "dedup throttle needs an idempotency_key",
        ),
        (
            NewTask(type="a", dedup=DedupMode.DEBOUNCE, idempotency_key="k"),
            "dedup debounce needs dedup_seconds above 0",
        ),
        (
            NewTask(
                type="a",
                dedup=DedupMode.DEBOUNCE,
                idempotency_key="k",
                dedup_seconds=1,
                children=(NewTask(type="b"),),
            ),
            "dedup debounce is not possible for a task with children: they start at once",
        ),
    ],
)
def test_an_invalid_key_is_refused_likewise(task: NewTask, sentence: str) -> None:
    """With the option, the value and its limit."""
    with pytest.raises(InvalidTask, match=f"^{re.escape(sentence)}$"):
        check_key(task)


def test_the_limits_of_priority_are_inclusive() -> None:
    """From -1000 to 1000."""
    for priority in (-1000, 1000):
        check_priority(priority)
    with pytest.raises(InvalidTask, match=r"^priority -1001 is not from -1000 to 1000$"):
        check_priority(-1001)
