from __future__ import annotations

from uuid import UUID

import pytest
from werkzeug.datastructures import MultiDict

from actors.database.rows import JobStatus
from web.api.query_params import choice, flag, identifier, integer
from web.errors import Problem


def args(**values):
    return MultiDict(values)


def test_a_missing_parameter_has_its_default():
    """No parameter is required."""
    assert integer(args(), "limit", 10, minimum=1, maximum=100) == 10
    assert choice(args(), "status", JobStatus) is None
    assert identifier(args(), "id") is None


def test_good_values_are_parsed():
    """To the types of messages."""
    assert integer(args(limit="7"), "limit", 10, minimum=1, maximum=100) == 7
    assert choice(args(status="failed"), "status", JobStatus) is JobStatus.FAILED
    assert identifier(args(id=str(UUID(int=5))), "id") == UUID(int=5)


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.5", "ten", "", " 1", "1_0", "\uff11", "9" * 99, "0x1"])
def test_an_invalid_integer_is_rejected(text):
    """The sentence names parameter, range and value."""
    with pytest.raises(Problem, match=r"^limit must be a whole number from 1 to 100, not ") as raised:
        integer(args(limit=text), "limit", 10, minimum=1, maximum=100)
    assert raised.value.status == 422
    assert len(raised.value.detail) < 130


def test_an_invalid_boolean_is_rejected():
    """A missing one is false."""
    assert [flag(args(), "on"), flag(args(on="true"), "on"), flag(args(on="false"), "on")] == [
        False,
        True,
        False,
    ]
    for text in ("1", "True", "yes", ""):
        with pytest.raises(Problem, match=r"^on must be true or false, not "):
            flag(args(on=text), "on")


def test_an_invalid_choice_is_rejected():
    """The sentence lists the choices."""
    expected = 'status must be one of matched, accepted, rejected, failed, not "done".'
    with pytest.raises(Problem) as raised:
        choice(args(status="done"), "status", JobStatus)
    assert raised.value.detail == expected


@pytest.mark.parametrize("text", ["", "x", "\0", "\ud800"])
def test_an_invalid_uuid_is_rejected(text):
    """In one sentence."""
    with pytest.raises(Problem, match=r"^id must be a UUID, not "):
        identifier(args(id=text), "id")
