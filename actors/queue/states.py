"""The state machine of a task: the steps, and the transitions that each allows. Pure.

::

                         ┌────────────── fail, stall (more tries) ────────────┐
                         v                                                    │
    add ──────────> PENDING ──────────────── claim ─────────────────────> RUNNING
     │               ^    │                                               │  │  │
     │   release,    │    │ cancel                                 cancel │  │  │ complete
     │   promote     │    v                                               │  │  │
     └─────────> DELAYED  CANCELLED <─────────────────────────────────────┘  │  └──> COMPLETED
                  ^  │ │      ^                                              │
                  │  │ └──────┘ cancel              fail (for good) ─────────┼─────> FAILED
                  │  └─ child failed ──> FAILED     stall (too often) ───────┴─────> DEAD
                  └──── fail (after a wait)

    COMPLETED, FAILED, CANCELLED, DEAD ── retry ──> PENDING or DELAYED

A task that waits for its children is DELAYED without a time. It cannot be
promoted: the end of its last child releases it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from .messages import FINISHED, InvalidTaskState, TaskState


class Step(StrEnum):
    """A step of a task's life."""

    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    STALL = "stall"
    CANCEL = "cancel"
    RELEASE = "release"
    PROMOTE = "promote"
    REPRIORITIZE = "reprioritize"
    CHILD_FAILED = "child_failed"
    RETRY = "retry"


_P, _D, _R = TaskState.PENDING, TaskState.DELAYED, TaskState.RUNNING

TRANSITIONS: Final[Mapping[Step, tuple[frozenset[TaskState], frozenset[TaskState]]]] = {
    Step.CLAIM: (frozenset({_P}), frozenset({_R})),
    Step.COMPLETE: (frozenset({_R}), frozenset({TaskState.COMPLETED})),
    Step.FAIL: (frozenset({_R}), frozenset({_P, _D, TaskState.FAILED})),
    Step.STALL: (frozenset({_R}), frozenset({_P, TaskState.DEAD})),
    Step.CANCEL: (frozenset({_P, _D, _R}), frozenset({TaskState.CANCELLED})),
    Step.RELEASE: (frozenset({_D}), frozenset({_P})),
    Step.PROMOTE: (frozenset({_D}), frozenset({_P})),
    Step.REPRIORITIZE: (frozenset({_P, _D}), frozenset({_P, _D})),
    Step.CHILD_FAILED: (frozenset({_D}), frozenset({TaskState.FAILED})),
    Step.RETRY: (FINISHED, frozenset({_P, _D})),
}
"""For each step: the states from which it is allowed, and those to which it leads."""


def allows(step: Step, state: TaskState) -> bool:
    """Whether the state allows the step."""
    return state in TRANSITIONS[step][0]


def require(step: Step, state: TaskState) -> None:
    """Check that the state allows the step.

    Raises:
        InvalidTaskState: with the states that would allow it.
    """
    if not allows(step, state):
        allowed = ", ".join(sorted(TRANSITIONS[step][0]))
        raise InvalidTaskState(f"cannot {step} a task that is {state}; it must be {allowed}")
