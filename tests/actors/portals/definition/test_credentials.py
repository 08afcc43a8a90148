"""Configured credentials, references to secrets, and one-time codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.portals import Credentials, DefinitionError, LoginRefused
from actors.portals.definition.credentials import CredentialReferences, configured_credentials, current_code
from actors.settings import load_settings

NOTHING = Credentials(username="", password="")
SECRET = "JBSWY3DPEHPK3PXP"


def test_references_to_the_environment_and_to_files(tmp_path: Path):
    """A trailing newline is stripped; the reference of a configured secret is not read."""
    (tmp_path / "password").write_text("p w \n")
    references = CredentialReferences(
        username="env:NAME", password=f"file:{tmp_path}/password", totp_secret="env:NOT_THERE"
    )
    given = Credentials(username="", password="", totp_secret=SECRET)
    found = references.resolve("mine", {"NAME": "ann"}, given)
    assert found == Credentials(username="ann", password="p w ", totp_secret=SECRET)
    assert "p w" not in repr(found)
    assert SECRET not in repr(found)


def test_without_references_the_configured_credentials_are_used():
    """Missing ones stay empty."""
    assert CredentialReferences().resolve("mine", {}, NOTHING) == NOTHING


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (
            "env:NAME",
            "portal mine: credentials.password = 'env:NAME', expected an environment variable that is set",
        ),
        ("file:/no/such", "expected a readable file: No such file or directory"),
        ("file:{}/empty", "expected a file of 1 to 4096 bytes"),
        ("file:{}/binary", "expected a file of UTF-8 text"),
    ],
)
def test_a_broken_reference_is_an_error(tmp_path: Path, reference: str, sentence: str):
    """The message names the portal, the key and the reference."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    references = CredentialReferences(password=reference.format(tmp_path))
    with pytest.raises(DefinitionError) as caught:
        references.resolve("mine", {}, NOTHING)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unusable_totp_secret_is_rejected_without_showing_it():
    """At start-up, not during a login."""
    with pytest.raises(DefinitionError) as caught:
        CredentialReferences(totp_secret="env:T").resolve("mine", {"T": "hunter2!"}, NOTHING)
    assert str(caught.value) == "portal mine: credentials.totp_secret does not refer to a base32 string"


def test_a_code_needs_a_secret():
    """Without one, `LoginRefused` says what is missing."""
    assert len(current_code(Credentials(username="", password="", totp_secret=SECRET))) == 6
    with pytest.raises(LoginRefused, match="asks for a one-time code, but no totp_secret is configured"):
        current_code(NOTHING)


TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_only_the_practice_portal_falls_back_to_the_practice_account() -> None:
    """`[sessions]` takes precedence, and other portals never get the practice account."""
    defaults = load_settings(None, {}, [f"practice.totp_secret={TOTP_SECRET}"])
    practice = Credentials(username="operator", password="practice", totp_secret=TOTP_SECRET)
    assert configured_credentials(defaults, "practice") == practice
    configured = load_settings(None, {}, ["sessions.username=ann", "sessions.password=hunter2"])
    assert configured_credentials(configured, "practice") == Credentials(username="ann", password="hunter2")
    assert configured_credentials(defaults, "other") == Credentials(username="", password="")
