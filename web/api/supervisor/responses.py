"""The supervisor tree, restarts, dead letters and load as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from runtime import DeadLetter, Load, Node, RestartEntry

from ..serializers import Json, iso


def tree_node(node: Node, now: datetime) -> Json:
    """A node with its descendants; ``now`` converts delays to timestamps."""
    return {
        "id": node.id,
        "path": node.path,
        "kind": node.kind,
        "state": node.state,
        "restarts": node.restarts,
        "last_error": node.last_error,
        "last_cause": node.last_cause,
        "uptime_seconds": _rounded(node.uptime),
        "mailbox": {
            "depth": node.mailbox.depth,
            "capacity": node.mailbox.capacity,
            "high_water": node.mailbox.high_water,
        },
        "message": node.message,
        "busy_seconds": _rounded(node.busy_for),
        "backoff_until": None if node.retry_in is None else iso(now + timedelta(seconds=node.retry_in)),
        "next_delay_seconds": _rounded(node.next_delay),
        "crashes_to_exit": node.crashes_to_exit,
        "budget": None if node.budget is None else asdict(node.budget),
        "detail": dict(node.detail),
        "children": [tree_node(child, now) for child in node.children],
    }


def restart_entry(entry: RestartEntry) -> Json:
    """A failure of a child and its outcome."""
    return {
        "number": entry.number,
        "path": entry.path,
        "time": iso(entry.time),
        "cause": entry.cause,
        "error": entry.error,
        "traceback_hash": entry.traceback_hash,
        "message": entry.message,
        "delay_seconds": _rounded(entry.delay),
        "outcome": entry.outcome,
    }


def dead_letter(letter: DeadLetter) -> Json:
    """A message that was not handled; its type only, as its content may be secret."""
    return {
        "number": letter.number,
        "to": letter.to,
        "message": type(letter.message).__name__,
        "reason": letter.reason,
        "crashes": letter.crashes,
    }


def load_view(load: Load) -> Json:
    """Event-loop lag and the slowest messages, in seconds."""
    return {
        "lag": None if load.lag is None else asdict(load.lag),
        "slowest": [
            {"path": slow.path, "message": slow.message, "seconds": slow.seconds} for slow in load.slowest
        ],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
