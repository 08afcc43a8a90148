"""The SQL statements of one message, and how their rows become its reply. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, TypeVar

from psycopg.rows import DictRow

T = TypeVar("T")
Parameters: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyWithEvent:
    """A reply, and the event to publish after the commit."""

    reply: object
    event: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement with named parameters."""

    sql: LiteralString
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPlan:
    """Statements that run in this order in one transaction; the reply is made from the rows of the last."""

    statements: tuple[Statement, ...]
    read: Callable[[Sequence[DictRow]], object]
    """Makes the reply; may raise a refusal."""


def list_plan(sql: LiteralString, parameters: Parameters, make_row: Callable[[DictRow], T]) -> SqlPlan:
    """One statement whose reply is the list of its rows."""

    def read(rows: Sequence[DictRow]) -> list[T]:
        return [make_row(row) for row in rows]

    return SqlPlan(statements=(Statement(sql=sql, parameters=parameters),), read=read)
