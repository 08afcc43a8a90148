from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.database.configurations.messages import ConfigurationChanges
from actors.database.configurations.statements import NAMES
from web.api.body_reader import BodyReader
from web.api.configuration.requests import READ_ONLY, configuration_changes
from web.api.configuration.responses import configuration
from web.errors import Problem

from ...parts.views import CONFIGURATION, configuration_row

ROW = configuration_row()
SECONDS = "check_interval_seconds must be a number from 0.1 to 86400 with at most 3 decimals"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def refusal(of=ROW, **body) -> str:
    with pytest.raises(Problem) as caught:
        configuration_changes(BodyReader(body), of=of)
    assert caught.value.status == 422
    return caught.value.detail


def test_the_seeds_three_fields():
    """As the curl line of the document sends them."""
    body = {
        "check_interval_seconds": 0.5,
        "max_accept_per_run": 5,
        "job_type_filter": "Telephone interpreting",
    }
    assert configuration_changes(BodyReader(body), of=ROW) == ConfigurationChanges(
        check_interval_seconds=Decimal("0.5"), max_accept_per_run=5, job_type_filter="Telephone interpreting"
    )


def test_the_whole_model_may_be_sent_back():
    """As it was given out, which changes nothing."""
    body = configuration(ROW)
    assert set(body) == {*NAMES, *READ_ONLY}
    changes = configuration_changes(BodyReader(body), of=ROW)
    assert replace(ROW, **asdict(changes)) == ROW
    assert configuration_changes(BodyReader({**body, "updated_at": None}), of=ROW) == changes


@pytest.mark.parametrize("name", ["id", "is_active", *NAMES])
def test_null_is_no_value(name):
    """But for the excluded types, which are none then, as in the Compatibility API."""
    if name == "exclude_types":
        changes = configuration_changes(BodyReader({name: None}), of=ROW)
        assert changes == ConfigurationChanges(exclude_types=())
    else:
        assert refusal(**{name: None}) == f"{name} must be left out or have a value, not null."


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
            "chek_interval_seconds must be left out, as it is not known here;"
            " did you mean check_interval_seconds?",
        ),
        ({"zzz": 1}, "zzz must be left out, as it is not known here; known are check_interval_seconds, "),
        ({"\n" * 100: 1}, "'\\n\\n"),
        ({"id": "x"}, f'id must be that of this configuration, {CONFIGURATION}, not "x".'),
        (
            {"is_active": False},
            "is_active must be true, as it is (activate a configuration to change it), not false.",
        ),
        (
            {"max_accept_per_run": 3, "max_accept_pre_run": 4},
            "max_accept_pre_run must be left out, as it is not known here; did you mean max_accept_per_run?",
        ),
    ],
)
def test_what_is_not_as_expected_is_one_sentence(body, sentence):
    """It names the field, what it may hold and what came instead."""
    assert refusal(**body).startswith(sentence)


def test_a_new_configuration_has_no_id_yet():
    """Nor anything else that only the record knows."""
    assert refusal(of=None, id=str(UUID(int=1))).startswith("id must be left out, as it is not known here; ")
    assert refusal(of=None, is_active=True).startswith("is_active must be left out, as it is ")


@given(body=st.dictionaries(st.sampled_from([*NAMES, *READ_ONLY]) | st.text(max_size=8), JSON, max_size=4))
def test_any_object_is_understood_or_refused(body):
    """Never half of it, and never with anything but one sentence."""
    changes = understood(body)
    if isinstance(changes, Problem):
        assert changes.status == 422
        assert "\n" not in changes.detail
        assert changes.detail.endswith((".", "?"))
        return
    wanted = {name: value for name, value in asdict(changes).items() if value is not None}
    assert set(wanted) == set(body) - set(READ_ONLY)
    after = configuration(replace(ROW, **wanted))
    for name in wanted:
        assert type(after[name]) in (bool, int, float, str, list)
        json.dumps(after[name], allow_nan=False)


def understood(body):
    try:
        return configuration_changes(BodyReader(body), of=ROW)
    except Problem as problem:
        return problem
