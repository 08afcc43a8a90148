"""Tasks and queue statistics as JSON."""

from __future__ import annotations

from actors.queue.messages import Attempt, Explanation, LimitView, LogLine, QueueStats, TaskView

from ..serializers import Json, iso


def task_json(view: TaskView) -> Json:
    """A task; owner and lease are null unless it is running."""
    return {
        "id": str(view.id),
        "type": view.type,
        "state": view.state,
        "priority": view.priority,
        "group": view.group,
        "data": view.data,
        "result": view.result,
        "error": view.error,
        "progress": view.progress,
        "attempts": view.attempts,
        "max_attempts": view.max_attempts,
        "stalls": view.stalls,
        "run_at": iso(view.run_at),
        "created_at": iso(view.created_at),
        "started_at": iso(view.started_at),
        "finished_at": iso(view.finished_at),
        "parent_id": None if view.parent_id is None else str(view.parent_id),
        "idempotency_key": view.idempotency_key,
        "timeout_seconds": view.timeout_seconds,
        "owner": view.owner,
        "lease_until": iso(view.lease_until),
    }


def attempt_json(attempt: Attempt) -> Json:
    """One attempt of a task."""
    return {
        "token": attempt.token,
        "owner": attempt.owner,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "started_at": iso(attempt.started_at),
        "ended_at": iso(attempt.ended_at),
        "result": attempt.result,
    }


def log_line_json(line: LogLine) -> Json:
    """A log line of a task."""
    return {
        "token": line.token,
        "level": line.level,
        "message": line.message,
        "created_at": iso(line.created_at),
    }


def explanation_json(explanation: Explanation) -> Json:
    """Every reason why a task is not running."""
    return {
        "task": task_json(explanation.task),
        "claimable": explanation.claimable,
        "ahead": explanation.ahead,
        "reasons": [
            {"kind": reason.kind, "text": reason.text, "until": iso(reason.until), "by": list(reason.by)}
            for reason in explanation.reasons
        ],
    }


def queue_stats_json(stats: QueueStats) -> Json:
    """Task counts, pauses, limits and workers."""
    return {
        "states": dict(stats.states),
        "types": {name: dict(states) for name, states in stats.types.items()},
        "paused": stats.paused,
        "paused_types": list(stats.paused_types),
        "limits": [_limit(limit) for limit in stats.limits],
        "workers": [
            {
                "owner": worker.owner,
                "types": list(worker.types),
                "unavailable_types": dict(worker.unavailable_types),
                "concurrency": worker.concurrency,
                "seen_at": iso(worker.seen_at),
            }
            for worker in stats.workers
        ],
        "oldest_pending_at": iso(stats.oldest_pending_at),
        "stale_writes": stats.stale_writes,
    }


def queue_counts(stats: QueueStats) -> Json:
    """Queue counts of the ``queue_update`` WebSocket message."""
    return {
        "counts": dict(stats.states),
        "paused": stats.paused,
        "paused_types": list(stats.paused_types),
        "oldest_pending_at": iso(stats.oldest_pending_at),
    }


def _limit(limit: LimitView) -> Json:
    return {
        "scope": limit.scope,
        "name": limit.name,
        "paused": limit.paused,
        "max_running": limit.max_running,
        "running": limit.running,
        "rate": limit.rate,
        "rate_seconds": limit.rate_seconds,
        "rate_used": limit.rate_used,
        "window_until": iso(limit.window_until),
    }
