"""Maps events of the bus to WebSocket messages; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from actors.analytics.events import AnalyticsUpdated
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.rows import JobStatus
from actors.monitor.messages import ServiceChanged
from actors.monitor.status import ServiceName
from actors.sessions.events import (
    CheckStarted,
    CycleCompleted,
    JobProcessed,
    RejectedReported,
    ResultsReported,
    SessionDegraded,
    SessionEvent,
)
from runtime import ChildFailed, ChildStarted, ChildState, ChildStopped, describe

from ..api.realtime.events import RealtimeUpdate
from ..api.serializers import Json, iso
from .topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMessage:
    """One WebSocket message, before it is numbered and encoded."""

    type: str
    data: Json
    timestamp: datetime
    session: UUID | None = None
    """The session that it belongs to, if any."""
    topic: Topic | None = None
    """Its topic; None means that of its type, see `topics.TOPIC_OF`."""


Translation: TypeAlias = Callable[[Any], Iterable[LiveMessage]]
"""Translates one event of a plugin into messages, in order."""


def messages_of(event: object) -> Iterator[LiveMessage]:
    """Return the messages of an event, in order; none for events that are not published."""
    match event:
        case CheckStarted():
            yield _session_message(event, "checking_jobs", _checking_jobs(event))
        case JobProcessed():
            yield _session_message(event, "job_processed", _job_processed(event))
            if event.status in (JobStatus.ACCEPTED, JobStatus.REJECTED):
                yield _session_message(event, f"job_{event.status}", _job_decided(event))
        case CycleCompleted():
            if event.total_jobs == 0:
                yield _session_message(event, "no_jobs", _no_jobs(event))
            else:
                yield _session_message(event, "job_processing_complete", _jobs_complete(event))
            yield _session_message(event, "cycle_complete", _cycle_complete(event))
        case SessionDegraded():
            data: Json = {"message": event.message, "session_id": str(event.session_id)}
            yield _session_message(event, "error", data)
        case ResultsReported() | RejectedReported():
            yield _session_message(event, "metric_update", _report(event))
        case AnalyticsUpdated():
            data = {
                "message": event.message,
                "period_start": iso(event.period_start),
                "period_end": iso(event.period_end),
                "is_final": event.is_final,
            }
            yield LiveMessage(type="analytics_update", data=data, timestamp=datetime.now(UTC))
        case RealtimeUpdate():
            yield LiveMessage(type=event.type, data=event.data, timestamp=event.timestamp)
        case ConfigurationChanged():
            yield LiveMessage(
                type="configuration_updated", data=_configuration_updated(event), timestamp=datetime.now(UTC)
            )
        case ConfigurationRefreshRequested():
            data = {"message": "Sessions read their configuration again"}
            yield LiveMessage(type="config_refresh_requested", data=data, timestamp=datetime.now(UTC))
        case ServiceChanged():
            data = _service_changed(event)
            yield LiveMessage(type="service_changed", data=data, timestamp=event.timestamp)
            if event.name is ServiceName.DATABASE:
                yield LiveMessage(type="database_update", data=data, timestamp=event.timestamp)
        case ChildStarted():
            yield _supervisor_event(event.path, ChildState.RUNNING, restarts=event.restarts)
        case ChildFailed():
            state = ChildState.FAILED if event.delay is None else ChildState.BACKOFF
            yield _supervisor_event(event.path, state, error=describe(event.error), delay=event.delay)
        case ChildStopped():
            yield _supervisor_event(event.path, ChildState.STOPPED)
        case _:
            return


def _session_message(event: SessionEvent, kind: str, data: Json) -> LiveMessage:
    return LiveMessage(type=kind, data=data, timestamp=event.timestamp, session=event.session_id)


def _checking_jobs(event: CheckStarted) -> Json:
    return {
        "session_id": str(event.session_id),
        "iteration": event.cycle,
        "message": f"Check {event.cycle} started",
    }


def _no_jobs(event: CycleCompleted) -> Json:
    return {
        "session_id": str(event.session_id),
        "iteration": event.cycle,
        "message": "No jobs at the portal",
    }


def _jobs_complete(event: CycleCompleted) -> Json:
    return {
        "session_id": str(event.session_id),
        "iteration": event.cycle,
        "accepted": event.accepted,
        "rejected": event.rejected,
        "skipped": event.skipped,
        "total_jobs": event.total_jobs,
        "total_checks": event.total_checks,
        "total_accepted": event.total_accepted,
        "total_rejected": event.total_rejected,
        "total_skipped": event.total_skipped,
        "message": f"{event.accepted} of {event.total_jobs} jobs accepted, {event.rejected} rejected",
    }


def _report(event: ResultsReported | RejectedReported) -> Json:
    session: Json = {"session_id": str(event.session_id)}
    if isinstance(event, ResultsReported):
        return session | {
            "report": "results",
            "period_seconds": event.seconds,
            "checks": event.checks,
            "accepted": event.accepted,
            "rejected": event.rejected,
            "total_checks": event.total_checks,
            "total_accepted": event.total_accepted,
            "total_rejected": event.total_rejected,
        }
    return session | {
        "report": "rejected",
        "period_start": iso(event.period_start),
        "period_end": iso(event.period_end),
        "rejected": event.rejected,
        "reasons": event.reasons,
        "jobs": [{"job_ref": ref, "reason": reason} for ref, reason in event.jobs],
    }


def _configuration_updated(event: ConfigurationChanged) -> Json:
    configuration = event.configuration
    return {
        "config_name": configuration.config_name,
        "check_interval_seconds": float(configuration.check_interval_seconds),
        "max_accept_per_run": configuration.max_accept_per_run,
        "job_type_filter": configuration.job_type_filter,
        "message": f"Configuration {configuration.config_name} changed: {', '.join(event.changed)}",
        "config_id": str(configuration.id),
        "changed": list(event.changed),
    }


def _service_changed(event: ServiceChanged) -> Json:
    return {
        "name": event.name,
        "status": event.status,
        "previous": event.previous,
        "overall_status": event.overall,
        "message": event.message,
    }


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
) -> LiveMessage:
    data: Json = {"path": path, "state": state, "error": error, "delay": delay, "restarts": restarts}
    return LiveMessage(type="supervisor_event", data=data, timestamp=datetime.now(UTC))
