from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from web.practice.settings import Settings, SettingsError, read_settings

DEFAULTS = Path(__file__).parents[3] / "config" / "default.toml"


def test_the_defaults_are_those_of_the_configuration():
    """The [practice] section of config/default.toml is what the site takes, key by key."""
    section = tomllib.loads(DEFAULTS.read_text())["practice"]
    assert read_settings(json.dumps({**section, "state_file": "x"})) == Settings(state_file="x")


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"prot": 1}, "prot is 1: Unexpected"),
        ({"port": "8001"}, "port is '8001': Input should be a valid integer"),
        ({"taken_share": 1.5}, "taken_share is 1.5: Input should be less than or equal to 1"),
        ({"initial_jobs": 201}, "initial_jobs is 201: Input should be less than or equal to 200"),
        ({"state_file": ""}, "state_file is '':"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(told, sentence):
    """The sentence names the key, its value and what was expected."""
    with pytest.raises(SettingsError) as caught:
        read_settings(json.dumps({"state_file": "x", **told}))
    assert str(caught.value).startswith(sentence)


def test_no_json_is_refused():
    """A line that is no JSON is refused as such."""
    with pytest.raises(SettingsError, match="first line of stdin"):
        read_settings(b"")
