from __future__ import annotations

from dataclasses import replace

import pytest

from actors.portals.definition_file import load_definition
from actors.portals.portal import Credentials
from actors.sessions.messages import NoSuchPortal
from actors.sessions.workplaces import Workplace, Workplaces
from actors.settings import portal_file

PRACTICE = portal_file("practice")


def workplaces(folder) -> Workplaces:
    definition = replace(load_definition(PRACTICE), name="usual")
    usual = Workplace(definition=definition, credentials=Credentials(username="me", password="x"))
    return Workplaces(usual, [folder, PRACTICE.parent])


def write(folder, name: str, *, file: str = "") -> None:
    text = PRACTICE.read_text().replace('name = "practice"', f'name = "{name}"', 1)
    assert f'name = "{name}"' in text
    (folder / f"{file or name}.toml").write_text(text)


def test_a_portal_is_found_by_its_name(tmp_path):
    """The usual one as it was planned, others by their files; each is read once."""
    places = workplaces(tmp_path)
    assert places.find("usual").credentials.username == "me"
    assert places.find("practice").definition.name == "practice"
    with pytest.raises(NoSuchPortal, match="no definition of a portal 'other'"):
        places.find("other")
    write(tmp_path, "other")
    found = places.find("other")
    (tmp_path / "other.toml").unlink()
    assert places.find("other") is found


@pytest.mark.parametrize("name", ["", "..", "../practice", "/etc/passwd", "practice.toml", "a b", "x" * 200])
def test_a_name_is_no_path(tmp_path, name):
    """Nothing outside of the folders can be named."""
    with pytest.raises(NoSuchPortal):
        workplaces(tmp_path).find(name)


def test_a_definition_that_cannot_be_used_is_told(tmp_path):
    """With the file and what is wrong in it."""
    (tmp_path / "broken.toml").write_text("name = 5")
    write(tmp_path, "other", file="another")
    places = workplaces(tmp_path)
    with pytest.raises(NoSuchPortal, match=r"broken\.toml"):
        places.find("broken")
    with pytest.raises(NoSuchPortal, match="name is 'other', expected 'another'"):
        places.find("another")
