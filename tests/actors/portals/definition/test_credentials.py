"""References to secrets, and the codes of a second factor."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.portals import Credentials, DefinitionError, LoginRefused
from actors.portals.definition.credentials import CredentialReferences, code_of

NOTHING = Credentials(username="", password="")
SECRET = "JBSWY3DPEHPK3PXP"


def test_references_lead_to_the_environment_and_to_files(tmp_path: Path):
    """A file's last line end is no part of the secret; what is given otherwise is not looked for."""
    (tmp_path / "password").write_text("p w \n")
    references = CredentialReferences(
        username="env:NAME", password=f"file:{tmp_path}/password", totp_secret="env:NOT_THERE"
    )
    given = Credentials(username="", password="", totp_secret=SECRET)
    found = references.resolve("mine", {"NAME": "ann"}, given)
    assert found == Credentials(username="ann", password="p w ", totp_secret=SECRET)
    assert "p w" not in repr(found)
    assert SECRET not in repr(found)


def test_without_references_there_is_what_is_given():
    """Nothing is made up."""
    assert CredentialReferences().resolve("mine", {}, NOTHING) == NOTHING


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (
            "env:NAME",
            "portal mine: credentials.password is 'env:NAME', expected a variable of the environment",
        ),
        ("file:/no/such", "expected a file that can be read: No such file or directory"),
        ("file:{}/empty", "expected a file of 1 to 4096 bytes"),
        ("file:{}/binary", "expected a file with UTF-8 text"),
    ],
)
def test_references_that_lead_nowhere_are_told_in_a_sentence(tmp_path: Path, reference: str, sentence: str):
    """It names the portal, the key and the reference."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    references = CredentialReferences(password=reference.format(tmp_path))
    with pytest.raises(DefinitionError) as caught:
        references.resolve("mine", {}, NOTHING)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_secret_that_makes_no_codes_is_refused_and_not_shown():
    """At the start, and not in the middle of a log-in."""
    with pytest.raises(DefinitionError) as caught:
        CredentialReferences(totp_secret="env:T").resolve("mine", {"T": "hunter2!"}, NOTHING)
    assert str(caught.value) == "portal mine: what totp_secret leads to is no base32 text"


def test_a_code_needs_a_secret():
    """Without one the log-in is refused in a sentence that says what is missing."""
    assert len(code_of(Credentials(username="", password="", totp_secret=SECRET))) == 6
    with pytest.raises(LoginRefused, match="asks for a one-time code, and there is no totp_secret"):
        code_of(NOTHING)
