from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import psycopg

from actors.database.arrays import moments, numbers, texts, uuids

TEXTS = (
    "",
    "plain",
    "NULL",
    'quo"ted',
    "back\\slash",
    '\\"',
    "{a,b}",
    "new\nline\ttab",
    " Português ",
    '{"a": "\\n"}',
)


def test_texts_arrive_as_they_are(database: str) -> None:
    """Quotes, backslashes, braces and what only looks like NULL included; None is NULL."""
    assert read(database, "text", texts(TEXTS)) == list(TEXTS)
    assert read(database, "text", texts(["a", None])) == ["a", None]
    assert read(database, "text", texts(())) == []


def test_ids_moments_and_numbers_arrive_as_they_are(database: str) -> None:
    """To the microsecond and in any time zone, the last digit and without an end; None is NULL."""
    ids = [uuid4(), None, uuid4()]
    times = [
        datetime(2026, 3, 4, 5, 6, 7, 891011, UTC),
        datetime(1999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
        None,
    ]
    doubles = [0.1, 1e300, -5e-324, math.inf, -math.inf, 3.0, None]
    assert read(database, "uuid", uuids(ids)) == ids
    assert read(database, "timestamptz", moments(times)) == times
    assert read(database, "bigint", numbers([1, None, -3, 2**62])) == [1, None, -3, 2**62]
    assert read(database, "float8", numbers(doubles)) == doubles
    assert read(database, "int", numbers([])) == []


def test_any_iterable_will_do(database: str) -> None:
    """Of the values of a dictionary as of a generator, once through."""
    assert read(database, "int", numbers({"a": 1, "b": 2}.values())) == [1, 2]
    assert read(database, "int", numbers(n for n in range(3))) == [0, 1, 2]


def read(database: str, kind: str, literal: str) -> list[object]:
    with psycopg.connect(database) as connection:
        query = f"select unnest(%s::{kind}[])"
        return [row[0] for row in connection.execute(query.encode(), [literal])]
