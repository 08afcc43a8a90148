"""What becomes of a child that ended: OTP's ``do_restart``, and the report of it.

What the rules are is said in ``_strategy.py``, ``_intensity.py`` and
``_backoff.py``; how a child comes back in ``_revival.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ._child import Child
from ._errors import IntensityReached, UnexpectedExit, describe
from ._exit import Cause, ChildFailed, ChildStopped, Exit
from ._ledger import Outcome
from ._node import ChildState
from ._strategy import Restart, comes_back, shuts_down

if TYPE_CHECKING:
    from ._supervisor import Supervisor


class RestartDecider:
    """Decides for one supervisor, and writes it down."""

    __slots__ = ("_supervisor",)

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def decide(self, child: Child) -> None:
        """OTP's ``do_restart``: who comes back, and when."""
        if not child.on_request and child.state in (ChildState.STOPPED, ChildState.FAILED):
            assert child.exit is not None
            if comes_back(child.restart, child.exit.cause):
                self._restart(child, child.exit)
            else:
                self._let_go(child, child.exit)

    def _restart(self, child: Child, reason: Exit) -> None:
        supervisor, now = self._supervisor, trio.current_time()
        if reason.error is None:
            reason = child.exit = Exit(
                cause=reason.cause, error=UnexpectedExit(f"{child.path} ended by itself")
            )
        assert reason.error is not None
        if reason.cause.spends_restart and not supervisor.intensity.allows(now):
            self._record(child, reason, None, Outcome.GAVE_UP)
            child.report_down(reason, returns=False)
            raise IntensityReached(
                f"{supervisor.me.path} gave up: more than {supervisor.spec.max_restarts} crashes "
                f"within {supervisor.spec.period:g} s, the last of {child.path}: {describe(reason.error)}"
            ) from reason.error
        backoff = child.spec.backoff
        lived = None if child.ready_at is None else now - child.ready_at
        child.failures = backoff.failures(child.failures, lived)
        delay = backoff.delay(child.failures, supervisor.surroundings.random)
        self._record(child, reason, delay, Outcome.WAITING)
        child.report_down(reason, returns=True)
        supervisor.revivals.begin(child, now + delay)

    def _let_go(self, child: Child, reason: Exit) -> None:
        """It ended and stays so."""
        supervisor = self._supervisor
        if reason.cause.is_failure:
            self._record(child, reason, None, Outcome.NOT_RESTARTED)
        else:
            supervisor.surroundings.publish(ChildStopped(path=child.path, killed=False))
        child.ready_at = None
        child.report_down(reason, returns=False)
        child.close(f"{child.path} ended")
        if supervisor.spec.dynamic or child.restart is Restart.TEMPORARY:
            supervisor.forget(child)
        others = (
            other.is_alive or supervisor.revivals.include(other)
            for other in supervisor.children.values()
            if other.spec.significant and other is not child
        )
        supervisor.is_shut_down = shuts_down(
            supervisor.spec.auto_shutdown, significant=child.spec.significant, others=others
        )

    def _record(self, child: Child, reason: Exit, delay: float | None, outcome: Outcome) -> None:
        message = None if child.life is None else child.life.culprit
        assert reason.error is not None
        self.settle(child, Outcome.FAILED_AGAIN)
        child.entry = self._supervisor.surroundings.ledger.write(
            child.path, reason, message=message, delay=delay, outcome=outcome
        )
        self._supervisor.surroundings.publish(
            ChildFailed(
                path=child.path,
                error=reason.error,
                absence=reason.cause is Cause.ABSENCE,
                delay=delay,
                cause=reason.cause,
                message=message,
            )
        )

    def settle(self, child: Child, outcome: Outcome) -> None:
        """Write down how its last failure went on."""
        if child.entry is not None:
            self._supervisor.surroundings.ledger.settle(child.entry, outcome)
            child.entry = None
