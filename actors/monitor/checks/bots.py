"""Looks at the bot sessions: whether those that should run in this instance do, and do not crash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from runtime import Address, AskFailed, ChildState, MailboxFull, Node, Refusal, SupervisorMessage, TreeQuery

from ...database.messages import Query, SessionsQuery
from ...database.rows import Desired, SessionRow
from ...sessions.messages import ControllerMessage, LoginStatus, SessionStatus, SessionsViewQuery, SessionView
from .health_check import HealthCheckResult, healthy, unhealthy, unknown

MOST_SESSIONS: Final = 1000
_DOWN: Final = (ChildState.BACKOFF, ChildState.FAILED, ChildState.STOPPED)


class BotsCheck:
    """Compares the session_controller, the fleet's supervisor and the record."""

    def __init__(
        self,
        session_controller: Address[ControllerMessage],
        fleet: Address[SupervisorMessage],
        reader: Address[Query],
        *,
        owner: str,
        timeout: float,
    ) -> None:
        """``owner`` is this instance's name on record."""
        self._owner = owner
        self._session_controller = session_controller
        self._fleet = fleet
        self._reader = reader
        # Each of the three gets its share, so that this look says who was silent before it is cut off.
        self._timeout = timeout / 4

    async def __call__(self) -> HealthCheckResult:
        """Ask all three."""
        try:
            on_duty = (
                await self._session_controller.ask(SessionsViewQuery(), timeout=self._timeout)
            ).sessions
            children = (await self._fleet.ask(TreeQuery(), timeout=self._timeout)).children
        except (AskFailed, MailboxFull) as error:
            return unhealthy(f"nobody says which sessions are on duty: {error}")
        try:
            rows = await self._reader.ask(
                SessionsQuery(desired=Desired.RUNNING, limit=MOST_SESSIONS), timeout=self._timeout
            )
        except (AskFailed, MailboxFull, Refusal) as error:
            return judge(on_duty, children, None, reason=str(error))
        now = datetime.now(UTC)
        return judge(on_duty, children, [row for row in rows if not is_anothers(row, self._owner, now)])


def is_anothers(row: SessionRow, owner: str, now: datetime) -> bool:
    """Whether another instance has the session at the moment."""
    return row.owner not in (None, owner) and row.lease_until is not None and row.lease_until > now


def judge(
    on_duty: Sequence[SessionView],
    children: Sequence[Node],
    wanted: Sequence[SessionRow] | None,
    *,
    reason: str = "",
) -> HealthCheckResult:
    """What these three say together; ``wanted`` is None where the record does not tell, for that reason.

    What other instances run is none of our business.
    """
    crashes = sum(child.restarts for child in children)
    asked = "an unknown number" if wanted is None else str(len(wanted))
    evidence = f"{len(on_duty)} on duty, {asked} wanted on record, {crashes} restarts"
    troubles = [*_down(children), *_idle(on_duty), *_missing(on_duty, wanted or ())]
    if troubles:
        return unhealthy(evidence, "; ".join(troubles))
    if wanted is None:
        return unknown(f"{evidence}: {reason}")
    return healthy(evidence)


def _down(children: Sequence[Node]) -> list[str]:
    return [
        f"{child.id} is down: {child.last_error or child.state}" for child in children if child.state in _DOWN
    ]


def _idle(on_duty: Sequence[SessionView]) -> list[str]:
    return [
        f"{view.session_name} {'failed' if view.status is SessionStatus.FAILED else 'cannot log in'}: "
        f"{view.message or 'no reason is known'}"
        for view in on_duty
        if view.status is SessionStatus.FAILED or view.login_status is LoginStatus.FAILED
    ]


def _missing(on_duty: Sequence[SessionView], wanted: Sequence[SessionRow]) -> list[str]:
    known = {view.id for view in on_duty}
    return [f"{row.session_name} is wanted and not on duty" for row in wanted if row.id not in known]
