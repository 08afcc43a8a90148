from __future__ import annotations

from uuid import UUID

import pytest
from werkzeug.datastructures import MultiDict

from actors.database.rows import JobStatus
from web.api.query_params import choice, flag, identifier, whole_number
from web.errors import Problem


def args(**values):
    return MultiDict(values)


def test_what_is_not_given_has_its_default():
    """No parameter is required."""
    assert whole_number(args(), "limit", 10, least=1, most=100) == 10
    assert choice(args(), "status", JobStatus) is None
    assert identifier(args(), "id") is None


def test_good_values_are_parsed():
    """To the types that messages want."""
    assert whole_number(args(limit="7"), "limit", 10, least=1, most=100) == 7
    assert choice(args(status="failed"), "status", JobStatus) is JobStatus.FAILED
    assert identifier(args(id=str(UUID(int=5))), "id") == UUID(int=5)


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.5", "ten", "", " 1", "1_0", "\uff11", "9" * 99, "0x1"])
def test_a_number_out_of_range_is_refused_in_one_sentence(text):
    """It names field, expectation and value."""
    with pytest.raises(Problem, match=r"^limit must be a whole number from 1 to 100, not ") as refused:
        whole_number(args(limit=text), "limit", 10, least=1, most=100)
    assert refused.value.status == 422
    assert len(refused.value.detail) < 130


def test_what_is_neither_true_nor_false_is_refused():
    """A flag that is not given is down; no other word is taken for either."""
    assert [flag(args(), "on"), flag(args(on="true"), "on"), flag(args(on="false"), "on")] == [
        False,
        True,
        False,
    ]
    for text in ("1", "True", "yes", ""):
        with pytest.raises(Problem, match=r"^on must be true or false, not "):
            flag(args(on=text), "on")


def test_a_word_that_is_none_of_the_set_is_refused():
    """The set is in the sentence."""
    expected = 'status must be one of matched, accepted, rejected, failed, not "done".'
    with pytest.raises(Problem) as refused:
        choice(args(status="done"), "status", JobStatus)
    assert refused.value.detail == expected


@pytest.mark.parametrize("text", ["", "x", "\0", "\ud800"])
def test_what_is_no_uuid_is_refused(text):
    """In one sentence, too."""
    with pytest.raises(Problem, match=r"^id must be a UUID, not "):
        identifier(args(id=text), "id")
