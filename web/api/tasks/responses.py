"""Tasks and the queue as the JSON that clients read; pure."""

from __future__ import annotations

from actors.mirror.messages import MirrorStatus
from actors.queue.messages import Attempt, Explanation, LimitView, LogLine, QueueStats, TaskView

from ..serializers import Json, iso


def task(view: TaskView) -> Json:
    """A task. Its lease is told only while somebody has it."""
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


def attempt(made: Attempt) -> Json:
    return {
        "token": made.token,
        "owner": made.owner,
        "outcome": made.outcome,
        "error": made.error,
        "started_at": iso(made.started_at),
        "ended_at": iso(made.ended_at),
        "result": made.result,
    }


def log_line(line: LogLine) -> Json:
    return {
        "token": line.token,
        "level": line.level,
        "message": line.message,
        "created_at": iso(line.created_at),
    }


def explanation(told: Explanation) -> Json:
    return {
        "task": task(told.task),
        "claimable": told.claimable,
        "ahead": told.ahead,
        "reasons": [
            {"kind": reason.kind, "text": reason.text, "until": iso(reason.until), "by": list(reason.by)}
            for reason in told.reasons
        ],
    }


def queue_stats(stats: QueueStats) -> Json:
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
                "closed": dict(worker.closed),
                "slots": worker.slots,
                "seen_at": iso(worker.seen_at),
            }
            for worker in stats.workers
        ],
        "oldest_pending_at": iso(stats.oldest_pending_at),
        "stale_writes": stats.stale_writes,
    }


def queue_counts(stats: QueueStats) -> Json:
    """What the page and ``queue_update`` tell of the queue."""
    return {
        "counts": dict(stats.states),
        "paused": stats.paused,
        "paused_types": list(stats.paused_types),
        "oldest_pending_at": iso(stats.oldest_pending_at),
    }


def mirror_status(status: MirrorStatus) -> Json:
    return {
        "server": status.server,
        "last_sync": iso(status.last_sync),
        "lag_ms": status.lag_ms,
        "pending": status.pending,
        "keys": status.keys,
        "rebuilds": status.rebuilds,
        "last_rebuild": iso(status.last_rebuild),
        "eviction_policy": status.eviction_policy,
        "warning": status.warning,
        "compared": status.compared,
        "differences": list(status.differences),
        "more_differences": status.more_differences,
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
