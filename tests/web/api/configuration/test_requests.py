from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.database.configurations.messages import ConfigurationChanges
from actors.database.configurations.statements import CHANGEABLE_FIELDS
from web.api.body_reader import BodyReader
from web.api.configuration.requests import READ_ONLY, configuration_changes
from web.api.configuration.responses import configuration_json
from web.errors import Problem

from ....builders import CONFIGURATION, configuration_row

ROW = configuration_row()
SECONDS = "check_interval_seconds must be a number from 0.1 to 86400 with at most 3 decimals"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def rejection(of=ROW, **body) -> str:
    with pytest.raises(Problem) as caught:
        configuration_changes(BodyReader(body), of=of)
    assert caught.value.status == 422
    return caught.value.detail


def test_the_three_fields_of_the_documented_curl_line():
    """They are accepted."""
    body = {
        "check_interval_seconds": 0.5,
        "max_accept_per_run": 5,
        "job_type_filter": "Telephone interpreting",
    }
    assert configuration_changes(BodyReader(body), of=ROW) == ConfigurationChanges(
        check_interval_seconds=Decimal("0.5"), max_accept_per_run=5, job_type_filter="Telephone interpreting"
    )


def test_the_whole_configuration_can_be_sent_back():
    """It changes nothing."""
    body = configuration_json(ROW)
    assert set(body) == {*CHANGEABLE_FIELDS, *READ_ONLY}
    changes = configuration_changes(BodyReader(body), of=ROW)
    assert replace(ROW, **asdict(changes)) == ROW
    assert configuration_changes(BodyReader({**body, "updated_at": None}), of=ROW) == changes


@pytest.mark.parametrize("name", ["id", "is_active", *CHANGEABLE_FIELDS])
def test_null_is_rejected(name):
    """Except for ``exclude_types``, where it means none, as in the Compatibility API."""
    if name == "exclude_types":
        changes = configuration_changes(BodyReader({name: None}), of=ROW)
        assert changes == ConfigurationChanges(exclude_types=())
    else:
        assert rejection(**{name: None}) == f"{name} must not be null."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"check_interval_seconds": 0},
            f"{SECONDS}, not 0.",
        ),
        (
            {"check_interval_seconds": 0.12345},
            f"{SECONDS}, not 0.12345.",
        ),
        (
            {"check_interval_seconds": True},
            f"{SECONDS}, not true.",
        ),
        (
            {"check_interval_seconds": float("inf")},
            f"{SECONDS}, not Infinity.",
        ),
        (
            {"max_accept_per_run": 1.0},
            "max_accept_per_run must be a whole number from 0 to 10000, not 1.0.",
        ),
        ({"enable_quick_check": "yes"}, 'enable_quick_check must be true or false, not "yes".'),
        ({"config_name": " "}, 'config_name must be a text of 1 to 255 printable characters, not " ".'),
        (
            {"exclude_types": ["Onsite", ""]},
            "exclude_types must be a list of at most 100 texts, each of 1 to 255 printable characters,"
            ' not ["Onsite", ""].',
        ),
        (
            {"exclude_types": ["x"] * 101},
            "exclude_types must be a list of at most 100 texts, each of 1 to 255 printable characters,",
        ),
        (
            {"chek_interval_seconds": 1},
            "Unknown field `chek_interval_seconds`; did you mean `check_interval_seconds`?",
        ),
        ({"zzz": 1}, "Unknown field `zzz`; known are `check_interval_seconds`, "),
        ({"\n" * 100: 1}, "Unknown field `\\n\\n"),
        ({"id": "x"}, f'id must be the id of this configuration, {CONFIGURATION}, not "x".'),
        (
            {"is_active": False},
            "is_active must be true, its current value (activate a configuration to change it), not false.",
        ),
        (
            {"max_accept_per_run": 3, "max_accept_pre_run": 4},
            "Unknown field `max_accept_pre_run`; did you mean `max_accept_per_run`?",
        ),
    ],
)
def test_an_invalid_field_is_one_sentence(body, sentence):
    """With its name, the valid values and the value sent."""
    assert rejection(**body).startswith(sentence)


def test_a_new_configuration_has_no_read_only_fields():
    """They are unknown fields there."""
    assert rejection(of=None, id=str(UUID(int=1))).startswith("Unknown field `id`")
    assert rejection(of=None, is_active=True).startswith("Unknown field `is_active`")


@given(
    body=st.dictionaries(
        st.sampled_from([*CHANGEABLE_FIELDS, *READ_ONLY]) | st.text(max_size=8), JSON, max_size=4
    )
)
def test_any_object_is_accepted_or_rejected_whole(body):
    """A rejection is one sentence."""
    changes = parsed(body)
    if isinstance(changes, Problem):
        assert changes.status == 422
        assert "\n" not in changes.detail
        assert changes.detail.endswith((".", "?"))
        return
    expected = {name: value for name, value in asdict(changes).items() if value is not None}
    assert set(expected) == set(body) - set(READ_ONLY)
    after = configuration_json(replace(ROW, **expected))
    for name in expected:
        assert type(after[name]) in (bool, int, float, str, list)
        json.dumps(after[name], allow_nan=False)


def parsed(body):
    try:
        return configuration_changes(BodyReader(body), of=ROW)
    except Problem as problem:
        return problem
