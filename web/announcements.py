"""Events of the house as what WebSocket clients are told; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from actors.records.rows import JobStatus
from actors.sessions.events import CycleCompleted, FactRecorded, JobProcessed, SessionTroubled
from runtime import ChildFailed, ChildStarted, ChildState, ChildStopped, describe

from .schemas import Json

PASSED_ON: Final = frozenset(
    {
        "bot_starting",
        "bot_started",
        "bot_stopping",
        "bot_stopped",
        "bot_error",
        "login_attempt",
        "login_attempting",
        "login_success",
        "login_failed",
        "no_jobs",
    }
)
"""Facts that clients know by their own names. Those about jobs are told from ``JobProcessed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One message to all clients, before it has a number."""

    type: str
    data: Json
    timestamp: datetime


def announcements(event: object) -> Iterator[Announcement]:
    """What clients are told of an event, in order; nothing of those that are none of their business."""
    match event:
        case JobProcessed():
            yield Announcement(type="job_processed", data=_job_processed(event), timestamp=event.timestamp)
            if event.status in (JobStatus.ACCEPTED, JobStatus.REJECTED):
                yield Announcement(
                    type=f"job_{event.status}", data=_job_decided(event), timestamp=event.timestamp
                )
        case CycleCompleted():
            yield Announcement(type="cycle_complete", data=_cycle_complete(event), timestamp=event.timestamp)
        case SessionTroubled():
            data: Json = {"message": event.message, "session_id": str(event.session_id)}
            yield Announcement(type="error", data=data, timestamp=event.timestamp)
        case FactRecorded(type=kind) if kind in PASSED_ON:
            data = {**event.data, "session_id": str(event.session_id)}
            yield Announcement(type=kind, data=data, timestamp=event.timestamp)
        case ChildStarted():
            yield _supervisor_event(event.path, ChildState.RUNNING, restarts=event.restarts)
        case ChildFailed():
            state = ChildState.FAILED if event.delay is None else ChildState.BACKOFF
            yield _supervisor_event(event.path, state, error=describe(event.error), delay=event.delay)
        case ChildStopped():
            yield _supervisor_event(event.path, ChildState.STOPPED)
        case _:
            return


def _job_processed(event: JobProcessed) -> Json:
    return {
        "cycle": event.cycle,
        "job_number": event.job_number,
        "total_jobs": event.total_jobs,
        "accepted": event.accepted,
        "rejected": event.rejected,
        "skipped": event.skipped,
        "job_ref": event.job_ref,
        "language": event.language,
        "job_type": event.job_type,
        "duration": event.duration,
        "status": event.status,
        "reason": event.reason,
        "session_id": str(event.session_id),
    }


def _job_decided(event: JobProcessed) -> Json:
    data: Json = {
        "session_id": str(event.session_id),
        "job_number": event.job_number,
        "job_ref": event.job_ref,
        "language": event.language,
        "job_type": event.job_type,
        "duration": event.duration,
        "message": f"Job {event.job_ref} {event.status}",
    }
    if event.status is JobStatus.REJECTED:
        data["reason"] = event.reason
        data["message"] = f"Job {event.job_ref} rejected: {event.reason or 'no reason given'}"
    return data


def _cycle_complete(event: CycleCompleted) -> Json:
    return {
        "cycle": event.cycle,
        "stats": {
            "total_checks": event.total_checks,
            "total_accepted": event.total_accepted,
            "total_rejected": event.total_rejected,
            "total_skipped": event.total_skipped,
        },
        "session_id": str(event.session_id),
    }


def _supervisor_event(
    path: str,
    state: ChildState,
    *,
    error: str | None = None,
    delay: float | None = None,
    restarts: int | None = None,
) -> Announcement:
    data: Json = {"path": path, "state": state, "error": error, "delay": delay, "restarts": restarts}
    return Announcement(type="supervisor_event", data=data, timestamp=datetime.now(UTC))
