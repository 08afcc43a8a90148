"""Commits a batch of writes: in one transaction, or one by one when a statement fails. Blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import psycopg

from .connections.connection import STATEMENT_ERRORS, Connection, first_line, is_conflict, is_server_failure
from .errors import NoSuchSession, WriteRefused
from .journal.messages import RecordEntries
from .messages import Write
from .sql_plan import SqlPlan
from .statements import plan_write

Reply: TypeAlias = object
"""The reply to a write: a row, a claim, None, or a `WriteRefused`."""


class WriteAbandoned(WriteRefused):
    """The caller timed out before the commit, so nothing was written."""


class _AbandonedInTransaction(Exception):
    """A caller in the transaction timed out, so it must not be committed as it is."""


def _never_abandoned(_: int) -> bool:
    return False


def commit(
    connection: Connection,
    writes: Sequence[Write],
    is_abandoned: Callable[[int], bool] = _never_abandoned,
) -> list[Reply]:
    """Write them in order and return their replies in the same order, all durable by then.

    A write that the database cannot store costs the batch its single
    transaction, and nothing else. ``is_abandoned`` says of a write's index
    whether its caller timed out. It is called until just before the commit, so
    that what a caller must assume to be undone is not written.

    Raises:
        psycopg.Error: the database is unavailable, see `is_unavailable`. Each write may be committed or not.
    """
    while True:
        wanted = [index for index in range(len(writes)) if not is_abandoned(index)]
        try:
            plans = [plan_write(writes[index]) for index in wanted]
            committed = _commit_all(connection, plans, partial(_any_of, wanted, is_abandoned))
        except _AbandonedInTransaction:
            continue
        except STATEMENT_ERRORS as error:
            if is_server_failure(connection, error):
                raise
            committed = [
                _commit_one(connection, writes[index], partial(is_abandoned, index)) for index in wanted
            ]
        replies = dict(zip(wanted, committed, strict=True))
        return [
            replies[index] if index in replies else _abandoned(write) for index, write in enumerate(writes)
        ]


def _any_of(indexes: Sequence[int], is_abandoned: Callable[[int], bool]) -> bool:
    return any(map(is_abandoned, indexes))


def _commit_one(connection: Connection, write: Write, is_abandoned: Callable[[], bool]) -> Reply:
    try:
        return _commit_all(connection, [plan_write(write)], is_abandoned)[0]
    except _AbandonedInTransaction:
        return _abandoned(write)
    except STATEMENT_ERRORS as error:
        if not isinstance(write, RecordEntries):
            return _refusal(connection, write, error)
        if is_server_failure(connection, error):
            raise
    # One of the entries cannot be stored: commit them in their order, so that the last state still wins.
    replies = [_commit_one(connection, entry, is_abandoned) for entry in write.entries]
    return tuple(reply if isinstance(reply, WriteRefused) else None for reply in replies)


def _abandoned(write: Write) -> WriteAbandoned:
    return WriteAbandoned(f"{type(write).__name__} abandoned: its caller timed out")


def _refusal(connection: Connection, write: Write, error: Exception) -> WriteRefused:
    """The reply that an error of a statement becomes.

    Raises:
        psycopg.Error: the error itself, when this write did not cause it.
    """
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NoSuchSession("the session was deleted")
    if is_server_failure(connection, error) or (isinstance(error, psycopg.Error) and is_conflict(error)):
        raise error
    return WriteRefused(f"{type(write).__name__} cannot be stored: {first_line(error)}")


def _commit_all(
    connection: Connection, plans: Sequence[SqlPlan], is_abandoned: Callable[[], bool]
) -> list[Reply]:
    # In a pipeline the whole batch costs one round trip, and its commit another.
    with connection.pipeline() as pipeline, connection.transaction():
        try:
            cursors = [_execute(connection, plan) for plan in plans]
            pipeline.sync()
        except STATEMENT_ERRORS:
            # Until it is synchronised again, the pipeline swallows everything, the rollback included.
            with suppress(psycopg.Error):
                pipeline.sync()
            raise
        if is_abandoned():
            raise _AbandonedInTransaction
    replies: list[Reply] = []
    for plan, cursor in zip(plans, cursors, strict=True):
        try:
            replies.append(plan.read(cursor.fetchall() if cursor.description else []))
        except WriteRefused as refusal:
            replies.append(refusal)
    return replies


def _execute(connection: Connection, plan: SqlPlan) -> psycopg.Cursor[dict[str, object]]:
    for statement in plan.statements[:-1]:
        connection.execute(statement.sql, statement.parameters)
    last = plan.statements[-1]
    return connection.execute(last.sql, last.parameters)
