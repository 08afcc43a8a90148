from __future__ import annotations

import pytest

from actors.sessions.states import (
    LOGIN_STEPS,
    STEPS,
    ForbiddenStep,
    LoginStatus,
    SessionStatus,
    login_step,
    step,
)

ALLOWED = {
    ("stopped", "starting"),
    ("starting", "running"),
    ("starting", "stopping"),
    ("starting", "failed"),
    ("running", "starting"),
    ("running", "stopping"),
    ("running", "failed"),
    ("failed", "starting"),
    ("failed", "running"),
    ("failed", "stopping"),
    ("stopping", "stopped"),
}
LOGINS = {
    ("not_started", "attempting"),
    ("attempting", "success"),
    ("attempting", "failed"),
    ("attempting", "not_started"),
    ("success", "attempting"),
    ("success", "not_started"),
    ("failed", "attempting"),
    ("failed", "not_started"),
}


@pytest.mark.parametrize("now", list(SessionStatus))
@pytest.mark.parametrize("to", list(SessionStatus))
def test_steps_of_a_session(now, to):
    """Exactly the transitions of the diagram are allowed; staying in a state always is."""
    if now is to or (now.value, to.value) in ALLOWED:
        assert step(now, to) is to
    else:
        with pytest.raises(ForbiddenStep, match=f"no transition from {now} to {to}; allowed: "):
            step(now, to)


@pytest.mark.parametrize("now", list(LoginStatus))
@pytest.mark.parametrize("to", list(LoginStatus))
def test_steps_of_a_log_in(now, to):
    """A log-in must be attempted before it succeeds."""
    if now is to or (now.value, to.value) in LOGINS:
        assert login_step(now, to) is to
    else:
        with pytest.raises(ForbiddenStep):
            login_step(now, to)


def test_every_state_can_be_left_and_reached():
    """No state is a dead end: a session can always be stopped, and started again."""
    assert set(STEPS) == set(SessionStatus) == {to for steps in STEPS.values() for to in steps}
    assert set(LOGIN_STEPS) == set(LoginStatus) == {to for steps in LOGIN_STEPS.values() for to in steps}
