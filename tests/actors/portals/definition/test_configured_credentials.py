from __future__ import annotations

from dataclasses import replace

from actors.portals import Credentials
from actors.portals.definition.configured_credentials import credentials_of
from actors.portals.definition.definition_file import load_definition
from actors.settings import load_settings, portal_file

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_the_practice_portal_knows_its_own_account() -> None:
    """What the settings say of sessions comes before it, and no other portal gets it."""
    practice = load_definition(portal_file("practice"))
    usual = load_settings(None, {}, [f"practice.totp_secret={SECRET}"])
    own = Credentials(username="operator", password="practice", totp_secret=SECRET)
    assert credentials_of(usual, practice) == own
    told = load_settings(None, {}, ["sessions.username=ann", "sessions.password=hunter2"])
    assert credentials_of(told, practice) == Credentials(username="ann", password="hunter2")
    assert credentials_of(usual, replace(practice, name="other")) == Credentials(username="", password="")
