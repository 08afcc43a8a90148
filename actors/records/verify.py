"""What must hold on record whatever was killed; what `botvisor verify` looks at. Blocks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, LiteralString

import psycopg

from ..settings import DatabaseSettings
from .connection import Link, Server
from .errors import JournalUnusable
from .journal import FILE
from .journal_file import depth_of

MOST_BROKEN: Final = 100
"""Breaks of one invariant that are told; there may be more."""
JOURNAL_LIMIT: Final = timedelta(minutes=1)
"""A fact that waits for longer is not on its way, it is stuck."""
REAPED_WITHIN: Final = timedelta(seconds=30)
"""A lease that ended is taken back within so long; until then it breaks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """Something that must hold, and where it does not."""

    name: str
    broken: tuple[str, ...]
    """A sentence each; none when it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    name: str
    sql: LiteralString
    """Yields a row for each break, with one column: the sentence."""


_QUESTIONS: Final = (
    _Question(
        name="each running task has a live lease",
        sql="""
            select format('task %%s is running, but the lease of %%s ended at %%s', id, owner, lease_until)
            from tasks where state = 'running' and lease_until < now() - %(reaped_within)s::interval
        """,
    ),
    _Question(
        name="each finished task has its result",
        sql="""
            select format('task %%s is %%s, but has no %%s', id, state,
                case when finished_at is null then 'end'
                    when state = 'completed' then 'result' else 'error' end)
            from tasks
            where (state = 'completed' and (result is null or finished_at is null))
                or (state in ('failed', 'dead') and (error is null or finished_at is null))
        """,
    ),
    _Question(
        name="each attempt has one outcome",
        sql="""
            select format('task %%s is %%s by attempt %%s, which was %%s', id, state, made.token, outcome)
            from tasks join task_attempts as made on made.task_id = tasks.id and made.token >= tasks.token
            where state in ('running', 'completed') or made.token > tasks.token
        """,
    ),
    _Question(
        name="each task that waits without a time has a task to wait for",
        sql="""
            select format('task %%s is %%s, and nothing will begin it', id, state) from tasks as parent
            where run_at is null and (
                state = 'pending'
                or state = 'delayed' and not exists (
                    select from tasks as child where child.parent_id = parent.id
                        and (child.state in ('pending', 'delayed', 'running')
                            or child.state <> 'completed' and parent.on_child_failure = 'wait')
                )
            )
        """,
    ),
    _Question(
        name="a session's counters equal its job records",
        sql="""
            select format('session %%s counts %%s accepted and %%s rejected, but has %%s and %%s job records',
                id, total_accepted - forgotten_accepted, total_rejected, accepted, rejected)
            from bot_sessions
            cross join lateral (
                select count(*) filter (where status = 'accepted') as accepted,
                    count(*) filter (where status = 'rejected') as rejected
                from job_records where session_id = bot_sessions.id
            ) as counted
            where (total_accepted - forgotten_accepted, total_rejected)
                is distinct from (accepted::int, rejected::int)
        """,
    ),
    _Question(
        name="how a job ended is told once",
        sql="""
            select format('job %%s of session %%s has %%s events of its end',
                data ->> 'job_ref', session_id, count(*))
            from bot_events
            where type in ('job_accepted', 'job_rejected', 'job_failed') and data ? 'job_ref'
            group by session_id, data ->> 'job_ref'
            having count(*) > 1
        """,
    ),
)


def verify_record(settings: DatabaseSettings, dsn: str) -> tuple[Invariant, ...]:
    """Look at a live database, as of one moment.

    Raises:
        DatabaseAway, DatabaseRefused: it cannot be looked at.
    """
    server = Server(settings, dsn, "botvisor verify")
    with closing(server.connect()) as link:
        try:
            with link.transaction():
                link.execute("set transaction isolation level repeatable read, read only")
                return tuple(_ask(link, question) for question in _QUESTIONS)
        except psycopg.Error as error:
            raise server.fault(error) from error


def verify_journal(folder: Path, *, limit: timedelta = JOURNAL_LIMIT) -> Invariant:
    """See whether facts are stuck on their way to the record. Another process may have the journal open."""
    name = "what happened is on record"
    try:
        depth = depth_of(folder / FILE)
    except JournalUnusable as error:
        return Invariant(name=name, broken=(str(error),))
    broken: list[str] = []
    if depth.oldest is not None and datetime.now(UTC) - depth.oldest > limit:
        since = depth.oldest.isoformat(timespec="seconds")
        broken.append(f"{_facts(depth.waiting)} not on record, the oldest since {since}")
    if depth.refused:
        broken.append(f"{_facts(depth.refused)} set aside, as the record cannot hold that")
    return Invariant(name=name, broken=tuple(broken))


def _ask(link: Link, question: _Question) -> Invariant:
    rows = link.execute(
        f"select * from ({question.sql}) as broken (sentence) limit %(most)s",
        {"most": MOST_BROKEN, "reaped_within": REAPED_WITHIN},
    ).fetchall()
    return Invariant(name=question.name, broken=tuple(str(row["sentence"]) for row in rows))


def _facts(number: int) -> str:
    return "one fact is" if number == 1 else f"{number} facts are"
