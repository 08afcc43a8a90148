from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import psycopg

from actors.records.arrays import array, text_array

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
    """Quotes, backslashes, braces and what only looks like NULL included."""
    assert read(database, "text", text_array(TEXTS)) == list(TEXTS)
    assert read(database, "text", text_array(())) == []


def test_ids_moments_and_numbers_arrive_as_they_are(database: str) -> None:
    """To the microsecond and in any time zone; None is NULL."""
    ids = [uuid4(), uuid4()]
    moments = [
        datetime(2026, 3, 4, 5, 6, 7, 891011, UTC),
        datetime(1999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
    ]
    assert read(database, "uuid", array(ids)) == ids
    assert read(database, "timestamptz", array(moments)) == moments
    assert read(database, "int", array([1, None, -3])) == [1, None, -3]
    assert read(database, "int", array([])) == []


def read(database: str, kind: str, literal: str) -> list[object]:
    with psycopg.connect(database) as connection:
        query = f"select unnest(%s::{kind}[])"
        return [row[0] for row in connection.execute(query.encode(), [literal])]
