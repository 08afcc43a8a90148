"""The states of a session and of its log-in, and the steps between them. Pure.

::

                 start                       begins its work
    stopped ──────────────────────> starting ──────────────> running
       ▲                             │  ▲  │ <──────────────  │  ▲  │
       │ the end is committed   stop │  │  │     crashes      │  │  │ stop
       │                             │  │  │                  │  │  │
    stopping <───────────────────────┘  │  └───> failed <─────┘  │  │
       ▲ ▲                              └──────── │ │ ───────────┘  │
       │ └────────────────────────────────────────┘ tried again     │
       └────────────────────────────────────────────────────────────┘

    not_started ──> attempting ──> success | failed ──> attempting | not_started

A stopped session was never started, or has ended. A failed session keeps its
actor and retries; it runs again after the first success.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar


class SessionStatus(StrEnum):
    """The states of a session."""

    STARTING = "starting"
    """Desired, and not working yet; also while its actor waits for a restart."""
    RUNNING = "running"
    STOPPING = "stopping"
    """No longer desired; a click in progress may finish."""
    STOPPED = "stopped"
    FAILED = "failed"
    """Desired, but blocked by an error that usually needs an operator; the session keeps retrying."""


class LoginStatus(StrEnum):
    """The states of a session's log-in."""

    NOT_STARTED = "not_started"
    ATTEMPTING = "attempting"
    SUCCESS = "success"
    FAILED = "failed"


class ForbiddenStep(Exception):
    """The state machine has no transition between these two states; the caller has a bug."""


S = TypeVar("S", SessionStatus, LoginStatus)

STEPS: Final[Mapping[SessionStatus, frozenset[SessionStatus]]] = {
    SessionStatus.STOPPED: frozenset({SessionStatus.STARTING}),
    SessionStatus.STARTING: frozenset({SessionStatus.RUNNING, SessionStatus.STOPPING, SessionStatus.FAILED}),
    SessionStatus.RUNNING: frozenset({SessionStatus.STARTING, SessionStatus.STOPPING, SessionStatus.FAILED}),
    SessionStatus.FAILED: frozenset({SessionStatus.STARTING, SessionStatus.RUNNING, SessionStatus.STOPPING}),
    SessionStatus.STOPPING: frozenset({SessionStatus.STOPPED}),
}
LOGIN_STEPS: Final[Mapping[LoginStatus, frozenset[LoginStatus]]] = {
    LoginStatus.NOT_STARTED: frozenset({LoginStatus.ATTEMPTING}),
    LoginStatus.ATTEMPTING: frozenset({LoginStatus.SUCCESS, LoginStatus.FAILED, LoginStatus.NOT_STARTED}),
    LoginStatus.SUCCESS: frozenset({LoginStatus.ATTEMPTING, LoginStatus.NOT_STARTED}),
    LoginStatus.FAILED: frozenset({LoginStatus.ATTEMPTING, LoginStatus.NOT_STARTED}),
}


def step(now: SessionStatus, to: SessionStatus) -> SessionStatus:
    """Return the next state of a session. Staying in the same state is always allowed.

    Raises:
        ForbiddenStep: `STEPS` has no transition from `now` to `to`.
    """
    return _checked(now, to, STEPS[now])


def login_step(now: LoginStatus, to: LoginStatus) -> LoginStatus:
    """Return the next state of a log-in. Staying in the same state is always allowed.

    Raises:
        ForbiddenStep: `LOGIN_STEPS` has no transition from `now` to `to`.
    """
    return _checked(now, to, LOGIN_STEPS[now])


def _checked(now: S, to: S, steps: frozenset[S]) -> S:
    if to is not now and to not in steps:
        raise ForbiddenStep(f"no transition from {now} to {to}; allowed: {', '.join(sorted(steps))}")
    return to
