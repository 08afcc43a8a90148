from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from runtime import (
    Cause,
    ChildState,
    DeadLetter,
    Kind,
    MailboxStatistics,
    Node,
    Outcome,
    RestartEntry,
    Undelivered,
)
from web.api.supervisor.responses import dead_letter, restart_entry, tree_node

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_delay_becomes_a_timestamp():
    """``backoff_until`` is the time of the restart; children are nested."""
    leaf = Node(
        id="redis_sync",
        path="botvisor/redis_sync",
        kind=Kind.WORKER,
        state=ChildState.BACKOFF,
        restarts=2,
        last_error="connection refused",
        uptime=None,
        retry_in=1.5,
        mailbox=MailboxStatistics(depth=1, capacity=64, high_water=3),
        detail={"engine": "http"},
    )
    root = Node(
        id="botvisor",
        path="botvisor",
        kind=Kind.SUPERVISOR,
        state=ChildState.RUNNING,
        restarts=0,
        last_error=None,
        uptime=2.0,
        retry_in=None,
        mailbox=leaf.mailbox,
        detail={},
        children=(leaf,),
    )
    shown = json.loads(json.dumps(tree_node(root, NOON)))
    assert shown["backoff_until"] is None
    assert shown["uptime_seconds"] == 2.0
    (child,) = shown["children"]
    assert child["backoff_until"] == (NOON + timedelta(seconds=1.5)).isoformat()
    assert child["mailbox"] == {"depth": 1, "capacity": 64, "high_water": 3}
    assert (child["state"], child["kind"], child["detail"]) == ("backoff", "worker", {"engine": "http"})


def test_a_dead_letter_shows_its_type_and_not_its_content():
    """The content may be secret."""
    letter = DeadLetter(
        number=7,
        to="session_controller",
        message={"password": "hunter2"},
        reason=Undelivered.CRASHED,
        at=1.0,
        crashes=12,
        tracebacks=("the last one",),
    )
    shown = json.dumps(dead_letter(letter))
    assert json.loads(shown) == {
        "number": 7,
        "to": "session_controller",
        "message": "dict",
        "reason": "crashed",
        "crashes": 12,
    }


def test_a_ledger_entry_has_cause_and_outcome():
    """Times are ISO, delays are seconds."""
    entry = RestartEntry(
        number=1,
        path="botvisor/database/db_writer",
        at=5.0,
        time=NOON,
        cause=Cause.DEPENDENCY_UNAVAILABLE,
        error="connection refused",
        traceback_hash="abc",
        message="RecordOutcome",
        delay=0.2,
        outcome=Outcome.RESTARTED,
    )
    shown = json.loads(json.dumps(restart_entry(entry)))
    assert (shown["time"], shown["delay_seconds"], shown["outcome"]) == (NOON.isoformat(), 0.2, "restarted")
    assert (shown["cause"], shown["message"]) == ("dependency_unavailable", "RecordOutcome")
