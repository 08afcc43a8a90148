from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import psycopg

from actors.database.arrays import numbers, texts, timestamps, uuids

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


def test_texts_are_unchanged(database: str) -> None:
    """Including quotes, backslashes, braces and the text NULL; None is NULL."""
    assert read(database, "text", texts(TEXTS)) == list(TEXTS)
    assert read(database, "text", texts(["a", None])) == ["a", None]
    assert read(database, "text", texts(())) == []


def test_ids_timestamps_and_numbers_are_unchanged(database: str) -> None:
    """To the microsecond and in any time zone, to the last digit, and infinity; None is NULL."""
    ids = [uuid4(), None, uuid4()]
    times = [
        datetime(2026, 3, 4, 5, 6, 7, 891011, UTC),
        datetime(1999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
        None,
    ]
    doubles = [0.1, 1e300, -5e-324, math.inf, -math.inf, 3.0, None]
    assert read(database, "uuid", uuids(ids)) == ids
    assert read(database, "timestamptz", timestamps(times)) == times
    assert read(database, "bigint", numbers([1, None, -3, 2**62])) == [1, None, -3, 2**62]
    assert read(database, "float8", numbers(doubles)) == doubles
    assert read(database, "int", numbers([])) == []


def test_any_iterable_is_accepted(database: str) -> None:
    """Also the values of a dictionary, and a generator, which can be read once."""
    assert read(database, "int", numbers({"a": 1, "b": 2}.values())) == [1, 2]
    assert read(database, "int", numbers(n for n in range(3))) == [0, 1, 2]


def read(database: str, kind: str, literal: str) -> list[object]:
    with psycopg.connect(database) as connection:
        query = f"select unnest(%s::{kind}[])"
        return [row[0] for row in connection.execute(query.encode(), [literal])]
