"""Commits a batch of writes: all in one transaction, or one by one where some of them cannot be. Blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias

import psycopg

from .connection import Link, is_away, is_conflict
from .messages import NoSuchSession, RecordFacts, Write, WriteRefused
from .plan import Plan
from .writes import plan_write

Reply: TypeAlias = object
"""What the asker gets: a row, a claim, None, or a `WriteRefused` for it alone."""

# What the driver raises for a value that it cannot even send: a lone surrogate, data that is not JSON.
_UNSENDABLE = (psycopg.Error, ValueError, TypeError)


def commit(link: Link, writes: Sequence[Write]) -> list[Reply]:
    """Write them in order and return their replies in the same order, all durable by then.

    A write that the record cannot hold costs the batch its single transaction,
    and nothing else.

    Raises:
        psycopg.Error: the database is away, see `is_away`. Each write may be done or not.
    """
    try:
        return _together(link, [plan_write(write) for write in writes])
    except _UNSENDABLE as error:
        if _hopeless(link, error):
            raise
    return [_alone(link, write) for write in writes]


def _alone(link: Link, write: Write) -> Reply:
    try:
        return _together(link, [plan_write(write)])[0]
    except _UNSENDABLE as error:
        if not isinstance(write, RecordFacts):
            return _refusal(link, write, error)
        if _hopeless(link, error):
            raise
    # One of them cannot be held: in their order, so that the last one still has the last word.
    answers = [_alone(link, fact) for fact in write.facts]
    return tuple(answer if isinstance(answer, WriteRefused) else None for answer in answers)


def _refusal(link: Link, write: Write, error: Exception) -> WriteRefused:
    """What its sender is told of an error.

    Raises:
        psycopg.Error: the error itself, where it is not about this write.
    """
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NoSuchSession("its session was deleted from the record meanwhile")
    if _hopeless(link, error) or (isinstance(error, psycopg.Error) and is_conflict(error)):
        raise error
    return WriteRefused(f"the record cannot hold this {type(write).__name__}: {_line(error)}")


def _together(link: Link, plans: Sequence[Plan]) -> list[Reply]:
    # In a pipeline the whole batch costs one round trip, and its commit another.
    with link.pipeline() as pipeline, link.transaction():
        try:
            answers = [_send(link, plan) for plan in plans]
            pipeline.sync()
        except _UNSENDABLE:
            # Until it is synchronised again, the pipeline swallows everything, the rollback included.
            with suppress(psycopg.Error):
                pipeline.sync()
            raise
    replies: list[Reply] = []
    for plan, answer in zip(plans, answers, strict=True):
        try:
            replies.append(plan.read(answer.fetchall() if answer.description else []))
        except WriteRefused as refusal:
            replies.append(refusal)
    return replies


def _send(link: Link, plan: Plan) -> psycopg.Cursor[dict[str, object]]:
    for statement in plan.statements[:-1]:
        link.execute(statement.sql, statement.parameters)
    answer = plan.statements[-1]
    return link.execute(answer.sql, answer.parameters)


def _hopeless(link: Link, error: Exception) -> bool:
    return link.closed or (isinstance(error, psycopg.Error) and is_away(error))


def _line(error: Exception) -> str:
    text = (isinstance(error, psycopg.Error) and error.diag.message_primary) or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__
