from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from actors.portals.definition.definition_file import load_definition
from actors.portals.portal import Credentials
from actors.sessions.controller.portal_catalog import CatalogEntry, PortalCatalog
from actors.sessions.messages import NoSuchPortal
from actors.settings import portal_file

PRACTICE = portal_file("practice")


def catalog(folder: Path) -> PortalCatalog:
    definition = replace(load_definition(PRACTICE), name="default")
    default = CatalogEntry(definition=definition, credentials=Credentials(username="me", password="x"))
    return PortalCatalog(default, [folder, PRACTICE.parent])


def write(folder, name: str, *, file: str = "") -> None:
    text = PRACTICE.read_text().replace('name = "practice"', f'name = "{name}"', 1)
    assert f'name = "{name}"' in text
    (folder / f"{file or name}.toml").write_text(text)


async def test_a_portal_is_found_by_its_name(tmp_path):
    """The default one as configured, others by their files; each is read once."""
    portals = catalog(tmp_path)
    assert (await portals.find("default")).credentials.username == "me"
    assert (await portals.find("practice")).definition.name == "practice"
    with pytest.raises(NoSuchPortal, match="no definition of a portal 'other'"):
        await portals.find("other")
    write(tmp_path, "other")
    found = await portals.find("other")
    (tmp_path / "other.toml").unlink()
    assert await portals.find("other") is found


@pytest.mark.parametrize("name", ["", "..", "../practice", "/etc/passwd", "practice.toml", "a b", "x" * 200])
async def test_a_name_is_no_path(tmp_path, name):
    """Nothing outside of the folders can be named."""
    with pytest.raises(NoSuchPortal):
        await catalog(tmp_path).find(name)


async def test_an_invalid_definition_is_refused(tmp_path):
    """The error names the file and the mistake."""
    (tmp_path / "broken.toml").write_text("name = 5")
    write(tmp_path, "other", file="another")
    portals = catalog(tmp_path)
    with pytest.raises(NoSuchPortal, match=r"broken\.toml"):
        await portals.find("broken")
    with pytest.raises(NoSuchPortal, match="name is 'other', expected 'another'"):
        await portals.find("another")


def with_a_pipe(folder: Path) -> Path:
    """A definition whose password is read from a pipe."""
    pipe = folder / "password"
    os.mkfifo(pipe)
    write(folder, "slow")
    with (folder / "slow.toml").open("a") as file:
        file.write(f'\n[credentials]\npassword = "file:{pipe}"\n')
    return pipe


async def test_reading_a_definition_does_not_block_other_tasks(tmp_path):
    """The source of a secret may be slow."""
    portals, pipe = catalog(tmp_path), with_a_pipe(tmp_path)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:

            async def find_slow() -> None:
                assert (await portals.find("slow")).credentials.password == "hunter2"

            nursery.start_soon(find_slow)
            await trio.to_thread.run_sync(pipe.write_text, "hunter2\n")


async def test_reading_a_definition_times_out(tmp_path, monkeypatch):
    """And the next call reads it again."""
    monkeypatch.setattr("actors.sessions.controller.portal_catalog.READ_TIMEOUT", 0.2)
    portals, pipe = catalog(tmp_path), with_a_pipe(tmp_path)
    with trio.fail_after(10):
        with pytest.raises(NoSuchPortal, match=r"'slow' could not be read within 0\.2 s"):
            await portals.find("slow")
        await trio.to_thread.run_sync(pipe.write_text, "too late")
        pipe.unlink()
        monkeypatch.undo()
        pipe.write_text("hunter2")
        assert (await portals.find("slow")).credentials.password == "hunter2"
