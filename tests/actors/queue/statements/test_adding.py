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
            "'Login' is no type: at most 100 lower-case letters, digits, '_', '-' and '.'",
        ),
        (NewTask(type="a", priority=1001), "priority 1001 is not from -1000 to 1000"),
        (NewTask(type="a", max_attempts=0), "max_attempts 0 is not from 1 to 1000"),
        (NewTask(type="a", timeout_seconds=0), "timeout_seconds 0 is not from 0.001 to 3.1536e+08"),
        (NewTask(type="a", retry=RetryRule(jitter=2)), "retry.jitter 2 is not from 0 to 1"),
        (NewTask(type="a", group=""), "group '' is not from 1 to 255 characters long"),
        (NewTask(type="a", group="g" * 256), f"group '{'g' * 60}' is not from 1 to 255 characters long"),
    ],
)
def test_what_cannot_be_kept_is_told_by_field_value_and_limit(task: NewTask, sentence: str) -> None:
    """However long the value is."""
    with pytest.raises(InvalidTask, match=f"^{re.escape(sentence)}$"):
        check(task)


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (NewTask(type="a", idempotency_key=""), "idempotency_key '' is not from 1 to 255 characters long"),
        (NewTask(type="a", dedup_seconds=-1), "dedup_seconds -1 is not from 0 to 3.1536e+08"),
        (
            NewTask(type="a", idempotency_key="k", dedup_seconds=1),
            "dedup_seconds 1 is for throttle and debounce; with simple it is 0",
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
            "dedup debounce is not for a task with children, which begin at once",
        ),
    ],
)
def test_a_key_that_cannot_be_kept_is_told_likewise(task: NewTask, sentence: str) -> None:
    """With the field, the value and what it may be."""
    with pytest.raises(InvalidTask, match=f"^{re.escape(sentence)}$"):
        check_key(task)


def test_the_outermost_priorities_are_taken() -> None:
    """Those just beyond are not."""
    for priority in (-1000, 1000):
        check_priority(priority)
    with pytest.raises(InvalidTask, match=r"^priority -1001 is not from -1000 to 1000$"):
        check_priority(-1001)
