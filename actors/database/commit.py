"""Commits a batch of writes: all in one transaction, or one by one where some of them cannot be. Blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import psycopg

from .connections.connection import UNSENDABLE, Connection, first_line, is_conflict, is_hopeless
from .journal.messages import RecordEntries
from .messages import Write
from .refusals import NoSuchSession, WriteRefused
from .sql_plan import SqlPlan
from .writes import plan_write

Reply: TypeAlias = object
"""What the asker gets: a row, a claim, None, or a `WriteRefused` for it alone."""


class WriteAbandoned(WriteRefused):
    """Whoever asked for it did not wait for its commit, so it was not written."""


class _AbandonedMeanwhile(Exception):
    """Somebody in the transaction does not wait any more, so it must not be committed as it is."""


def _everybody_waits(_: int) -> bool:
    return False


def commit(
    link: Connection, writes: Sequence[Write], gave_up: Callable[[int], bool] = _everybody_waits
) -> list[Reply]:
    """Write them in order and return their replies in the same order, all durable by then.

    A write that the record cannot hold costs the batch its single transaction,
    and nothing else. ``gave_up`` says of a write's place whether nobody waits
    for its answer any more. It is asked until just before the commit, so that
    what its sender takes for undone is not done behind their back.

    Raises:
        psycopg.Error: the database is away, see `is_away`. Each write may be done or not.
    """
    while True:
        wanted = [place for place in range(len(writes)) if not gave_up(place)]
        try:
            plans = [plan_write(writes[place]) for place in wanted]
            answers = _together(link, plans, partial(_any_of, wanted, gave_up))
        except _AbandonedMeanwhile:
            continue
        except UNSENDABLE as error:
            if is_hopeless(link, error):
                raise
            answers = [_alone(link, writes[place], partial(gave_up, place)) for place in wanted]
        replies = dict(zip(wanted, answers, strict=True))
        return [replies[place] if place in replies else _undone(write) for place, write in enumerate(writes)]


def _any_of(places: Sequence[int], gave_up: Callable[[int], bool]) -> bool:
    return any(map(gave_up, places))


def _alone(link: Connection, write: Write, gave_up: Callable[[], bool]) -> Reply:
    try:
        return _together(link, [plan_write(write)], gave_up)[0]
    except _AbandonedMeanwhile:
        return _undone(write)
    except UNSENDABLE as error:
        if not isinstance(write, RecordEntries):
            return _refusal(link, write, error)
        if is_hopeless(link, error):
            raise
    # One of them cannot be held: in their order, so that the last one still has the last word.
    answers = [_alone(link, fact, gave_up) for fact in write.facts]
    return tuple(answer if isinstance(answer, WriteRefused) else None for answer in answers)


def _undone(write: Write) -> WriteAbandoned:
    return WriteAbandoned(f"nobody waited for this {type(write).__name__} any more")


def _refusal(link: Connection, write: Write, error: Exception) -> WriteRefused:
    """What its sender is told of an error.

    Raises:
        psycopg.Error: the error itself, where it is not about this write.
    """
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NoSuchSession("its session was deleted from the record meanwhile")
    if is_hopeless(link, error) or (isinstance(error, psycopg.Error) and is_conflict(error)):
        raise error
    return WriteRefused(f"the record cannot hold this {type(write).__name__}: {first_line(error)}")


def _together(link: Connection, plans: Sequence[SqlPlan], gave_up: Callable[[], bool]) -> list[Reply]:
    # In a pipeline the whole batch costs one round trip, and its commit another.
    with link.pipeline() as pipeline, link.transaction():
        try:
            answers = [_send(link, plan) for plan in plans]
            pipeline.sync()
        except UNSENDABLE:
            # Until it is synchronised again, the pipeline swallows everything, the rollback included.
            with suppress(psycopg.Error):
                pipeline.sync()
            raise
        if gave_up():
            raise _AbandonedMeanwhile
    replies: list[Reply] = []
    for plan, answer in zip(plans, answers, strict=True):
        try:
            replies.append(plan.read(answer.fetchall() if answer.description else []))
        except WriteRefused as refusal:
            replies.append(refusal)
    return replies


def _send(link: Connection, plan: SqlPlan) -> psycopg.Cursor[dict[str, object]]:
    for statement in plan.statements[:-1]:
        link.execute(statement.sql, statement.parameters)
    answer = plan.statements[-1]
    return link.execute(answer.sql, answer.parameters)
