"""Blocks commits of a chosen step in PostgreSQL, so that a kill hits exactly that step."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psycopg
import trio

_KEY = 4711
_LOCK = f"locktype = 'advisory' and objid = {_KEY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of a row that identifies a transaction."""

    table: str
    change: str
    condition: str
    application: str = "botvisor task_queue"
    """Application name of its connection."""


TASK_STEPS = {
    "enqueue": Step(table="tasks", change="insert", condition="true"),
    "claim": Step(
        table="tasks", change="update", condition="new.state = 'running' and old.state <> 'running'"
    ),
    "renewal": Step(
        table="tasks",
        change="update",
        condition="new.state = 'running' and new.token = old.token and new.lease_until > old.lease_until",
    ),
    "progress": Step(
        table="tasks", change="update", condition="new.state = 'running' and new.progress > old.progress"
    ),
    "log": Step(table="task_logs", change="insert", condition="true"),
    "failure": Step(
        table="tasks",
        change="update",
        condition="old.state = 'running' and new.state in ('pending', 'delayed')",
    ),
    "result": Step(table="tasks", change="update", condition="new.state = 'completed'"),
    "delay over": Step(
        table="tasks",
        change="update",
        condition="old.state = 'delayed' and new.state = 'pending'",
        application="botvisor reaper",
    ),
}
"""Steps of a task."""
LEASE_OVER = Step(
    table="tasks", change="update", condition="new.stalls > old.stalls", application="botvisor reaper"
)
SESSION_STEPS = {
    "intent": Step(table="job_records", change="insert", condition="true", application="botvisor db_writer"),
    "outcome": Step(
        table="job_records",
        change="update",
        condition="old.status = 'matched' and new.status <> 'matched'",
        application="botvisor db_writer",
    ),
    "event": Step(table="bot_events", change="insert", condition="true", application="botvisor db_writer"),
}
"""Writes of a session."""


class CommitBlocker:
    """While its block lasts, a transaction with the step waits in its commit.

    A deferred trigger, which runs at the end of the transaction, waits for an
    advisory lock, which this connection holds.
    """

    def __init__(self, dsn: str, step: Step) -> None:
        self._dsn = dsn
        self._step = step
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
        step = self._step
        self._connection.execute("set client_min_messages = warning")
        # Drop the earlier trigger first: waiting for a table whose commit it blocks would be a deadlock.
        for table in ("tasks", "task_logs", "job_records", "bot_events"):
            self._connection.execute(f"drop trigger if exists commit_blocker on {table}")
        self._connection.execute("select pg_advisory_lock(%s)", [_KEY])
        self._connection.execute(
            "create or replace function commit_blocker() returns trigger language plpgsql as"
            f" $$ begin perform pg_advisory_xact_lock_shared({_KEY}); return null; end $$"
        )
        self._connection.execute(
            f"create constraint trigger commit_blocker after {step.change} on {step.table}"
            " deferrable initially deferred for each row"
            f" when ({step.condition}) execute function commit_blocker()"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    async def wait_blocked(self) -> None:
        """Wait until a commit is blocked."""
        while not self._is_blocked():
            await trio.sleep(0.01)

    def terminate(self) -> int:
        """Terminate the application's connections, blocked or not, and return their number."""
        query = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
        return len(self._query(query, self._step.application))

    async def release(self) -> None:
        """Release the lock, and wait until the blocked commits are done."""
        self._query("select pg_advisory_unlock(%s)", _KEY)
        while self._is_blocked() or self._query(
            f"select from pg_locks where {_LOCK} and pid <> pg_backend_pid()"
        ):
            await trio.sleep(0.01)

    def _is_blocked(self) -> bool:
        return bool(self._query(f"select from pg_locks where {_LOCK} and not granted"))

    def _query(self, query: str, *parameters: object) -> list[tuple]:
        assert self._connection is not None
        return self._connection.execute(query, parameters).fetchall()
