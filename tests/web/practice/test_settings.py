from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest

from web.practice.settings import Settings, SettingsError, read_settings

from .portal_process import DEFAULTS, told


def test_the_settings_are_those_of_the_configuration():
    """The [practice] section of config/default.toml is what the site takes, key by key."""
    read = asdict(read_settings(json.dumps(told("x"))))
    assert read == {key: value for key, value in DEFAULTS.items() if key != "enabled"} | {"state_file": "x"}


@pytest.mark.parametrize("key", [field.name for field in fields(Settings)])
def test_nothing_is_made_up(key):
    """A setting that is not told has no value of the site's own."""
    some = told("x")
    del some[key]
    with pytest.raises(SettingsError, match=f"^{key} is missing$"):
        read_settings(json.dumps(some))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"enabled": True}, "enabled is True: Unexpected"),
        ({"prot": 1}, "prot is 1: Unexpected"),
        ({"port": "8001"}, "port is '8001': Input should be a valid integer"),
        ({"taken_share": 1.5}, "taken_share is 1.5: Input should be less than or equal to 1"),
        ({"initial_jobs": 201}, "initial_jobs is 201: Input should be less than or equal to 200"),
        ({"state_file": ""}, "state_file is '':"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(wrong, sentence):
    """The sentence names the key, its value and what was expected."""
    with pytest.raises(SettingsError) as caught:
        read_settings(json.dumps(told("x") | wrong))
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "wrong",
    [
        {"totp_secret": "hunter2"},
        {"totp_secret": ["hunter2"]},
        {"password": 2222222},
        {"totp_secrt": "hunter2"},
        {"totp_secret": "hunter2", "state_file": None},
    ],
)
def test_no_secret_is_in_the_sentence(wrong):
    """Also one under a misspelt key, or one that came with another mistake."""
    for line in (json.dumps(told("x") | wrong), json.dumps(wrong), json.dumps(wrong)[:-1]):
        with pytest.raises(SettingsError) as caught:
            read_settings(line)
        assert "hunter2" not in str(caught.value)
        assert "2222222" not in str(caught.value)


def test_no_json_is_refused():
    """A line that is no JSON is refused as such."""
    with pytest.raises(SettingsError, match="first line of stdin"):
        read_settings(b"")


def test_no_secret_is_in_the_repr():
    """Whoever gives the site other ones than it has may use them elsewhere, too."""
    totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    settings = read_settings(json.dumps(told("x", username="ada", password="hunter2", totp_secret=totp)))
    assert settings.password == "hunter2"
    assert "ada" in repr(settings)
    assert "hunter2" not in repr(settings)
    assert totp not in repr(settings)
