"""Holds commits of a chosen step in PostgreSQL itself, so that a kill hits exactly there."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psycopg
import trio

_KEY = 4711
_OURS = f"locktype = 'advisory' and objid = {_KEY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of one row by which a transaction is known."""

    table: str
    change: str
    condition: str
    application: str = "botvisor task_queue"
    """Whose connection it is on."""


STEPS = {
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
"""What the life of a task consists of."""
LEASE_OVER = Step(
    table="tasks", change="update", condition="new.stalls > old.stalls", application="botvisor reaper"
)
FACTS = {
    "intent": Step(table="job_records", change="insert", condition="true", application="botvisor db_writer"),
    "outcome": Step(
        table="job_records",
        change="update",
        condition="old.status = 'matched' and new.status <> 'matched'",
        application="botvisor db_writer",
    ),
    "fact": Step(table="bot_events", change="insert", condition="true", application="botvisor db_writer"),
}
"""What a session has written."""


class Turnstile:
    """Shut while its block lasts: a transaction with the step in it waits in its commit.

    By a deferred trigger, which runs when everything else of the transaction is
    done, and an advisory lock, which goes with this connection.
    """

    def __init__(self, dsn: str, step: Step) -> None:
        self._dsn = dsn
        self._step = step
        self._link: psycopg.Connection | None = None

    def __enter__(self) -> Self:
        self._link = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5)
        step = self._step
        self._link.execute("set client_min_messages = warning")
        # The earlier one goes first: a commit that it held while we wait for its table would be a deadlock.
        for table in ("tasks", "task_logs", "job_records", "bot_events"):
            self._link.execute(f"drop trigger if exists turnstile on {table}")
        self._link.execute("select pg_advisory_lock(%s)", [_KEY])
        self._link.execute(
            "create or replace function turnstile() returns trigger language plpgsql as"
            f" $$ begin perform pg_advisory_xact_lock_shared({_KEY}); return null; end $$"
        )
        self._link.execute(
            f"create constraint trigger turnstile after {step.change} on {step.table}"
            " deferrable initially deferred for each row"
            f" when ({step.condition}) execute function turnstile()"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._link is not None:
            self._link.close()

    async def somebody_waits(self) -> None:
        """Wait until a commit is held."""
        while not self._held():
            await trio.sleep(0.01)

    def cut(self) -> int:
        """Cut the connections that the step is on, whether they wait here or were let through; how many."""
        query = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
        return len(self._ask(query, self._step.application))

    async def let_through(self) -> None:
        """Open, and wait until what was held is committed."""
        self._ask("select pg_advisory_unlock(%s)", _KEY)
        while self._held() or self._ask(f"select from pg_locks where {_OURS} and pid <> pg_backend_pid()"):
            await trio.sleep(0.01)

    def _held(self) -> bool:
        return bool(self._ask(f"select from pg_locks where {_OURS} and not granted"))

    def _ask(self, query: str, *parameters: object) -> list[tuple]:
        assert self._link is not None
        return self._link.execute(query, parameters).fetchall()
