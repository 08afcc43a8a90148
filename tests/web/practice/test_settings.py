from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest

from web.practice.settings import SiteSettings, SiteSettingsError, read_settings

from .portal_process import DEFAULTS, portal_settings


def test_the_settings_are_those_of_the_configuration():
    """The keys of the [practice] section in config/default.toml."""
    read = asdict(read_settings(json.dumps(portal_settings("x"))))
    assert read == {key: value for key, value in DEFAULTS.items() if key != "enabled"} | {"state_file": "x"}


@pytest.mark.parametrize("key", [field.name for field in fields(SiteSettings)])
def test_every_setting_is_required(key):
    """The site has no defaults of its own."""
    some = portal_settings("x")
    del some[key]
    with pytest.raises(SiteSettingsError, match=f"^{key} is missing$"):
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
def test_invalid_settings_are_one_sentence(wrong, sentence):
    """With the key, its value and what is expected."""
    with pytest.raises(SiteSettingsError) as caught:
        read_settings(json.dumps(portal_settings("x") | wrong))
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
def test_no_secret_is_in_the_error(wrong):
    """Also under a misspelt key, or with another mistake."""
    for line in (json.dumps(portal_settings("x") | wrong), json.dumps(wrong), json.dumps(wrong)[:-1]):
        with pytest.raises(SiteSettingsError) as caught:
            read_settings(line)
        assert "hunter2" not in str(caught.value)
        assert "2222222" not in str(caught.value)


def test_invalid_json_is_rejected():
    """The error names the first line of stdin."""
    with pytest.raises(SiteSettingsError, match="first line of stdin"):
        read_settings(b"")


def test_no_secret_is_in_the_repr():
    """Custom values may also be used elsewhere."""
    totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    settings = read_settings(
        json.dumps(portal_settings("x", username="ada", password="hunter2", totp_secret=totp))
    )
    assert settings.password == "hunter2"
    assert "ada" in repr(settings)
    assert "hunter2" not in repr(settings)
    assert totp not in repr(settings)
