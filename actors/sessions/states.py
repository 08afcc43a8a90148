"""The states of a session and of its log-in, and the steps between them. Pure.

::

                 start                       begins its work
    stopped ──────────────────────> starting ──────────────> running
       ▲                             │  ▲  │ <──────────────  │  ▲  │
       │ its end is on record   stop │  │  │     crashes      │  │  │ stop
       │                             │  │  │                  │  │  │
    stopping <───────────────────────┘  │  └───> failed <─────┘  │  │
       ▲ ▲                              └──────── │ │ ───────────┘  │
       │ └────────────────────────────────────────┘ tried again     │
       └────────────────────────────────────────────────────────────┘

    not_started ──> attempting ──> success | failed ──> attempting | not_started

A session that is stopped was never started, or has ended. One that has failed
is still on duty: it is tried again, and runs once that succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar


class SessionStatus(StrEnum):
    STARTING = "starting"
    """Wanted, and not at work yet; also while its actor waits to be started again."""
    RUNNING = "running"
    STOPPING = "stopping"
    """Not wanted any more; a click under way may end."""
    STOPPED = "stopped"
    FAILED = "failed"
    """Wanted, but something keeps it from its work that only a person can change; it is tried again."""


class LoginStatus(StrEnum):
    NOT_STARTED = "not_started"
    ATTEMPTING = "attempting"
    SUCCESS = "success"
    FAILED = "failed"


class ForbiddenStep(Exception):
    """No way leads from the one state to the other; who asks for it has lost track."""


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
    """The next state of a session; staying where it is is no step, and always allowed.

    Raises:
        ForbiddenStep: `STEPS` has no way from here to there.
    """
    return _checked(now, to, STEPS[now])


def login_step(now: LoginStatus, to: LoginStatus) -> LoginStatus:
    """The next state of a log-in, likewise.

    Raises:
        ForbiddenStep: `LOGIN_STEPS` has no way from here to there.
    """
    return _checked(now, to, LOGIN_STEPS[now])


def _checked(now: S, to: S, steps: frozenset[S]) -> S:
    if to is not now and to not in steps:
        raise ForbiddenStep(f"what is {now} cannot become {to}, only {', '.join(sorted(steps))}")
    return to
