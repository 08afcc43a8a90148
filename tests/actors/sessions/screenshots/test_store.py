from __future__ import annotations

from uuid import uuid4

import pytest

from actors.sessions.screenshots.messages import (
    NoSuchScreenshot,
    SaveScreenshot,
    ScreenshotMessage,
    ScreenshotQuery,
    ScreenshotRefused,
    ScreenshotsQuery,
)
from actors.sessions.screenshots.store import LARGEST, ScreenshotStore
from runtime import Address
from runtime.testing import run_actor

from ..board import PICTURE

SESSION = uuid4()


def keep(label: str = "login", png: bytes = PICTURE) -> SaveScreenshot:
    return SaveScreenshot(session_id=SESSION, label=label, png=png)


async def test_so_many_pictures_stay(tmp_path):
    """The newest; each is whole, and nobody else's to read."""
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(
        lambda: ScreenshotStore(tmp_path / "shots", keep_count=2, keep_hours=1.0), screenshot_store
    ):
        assert await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5) == ()
        kept = [
            await screenshot_store.ask(keep(label), timeout=5) for label in ("Job check", "../../etc", "é")
        ]
        shown = await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5)
        assert shown == (kept[2], kept[1])
        assert [picture.name.rpartition("-")[2] for picture in kept] == [
            "check.png",
            "etc.png",
            "screenshot.png",
        ]
        assert [picture.size for picture in shown] == [len(PICTURE)] * 2
        query = ScreenshotQuery(session_id=SESSION, name=kept[1].name)
        assert await screenshot_store.ask(query, timeout=5) == PICTURE
        (folder,) = (tmp_path / "shots").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert sorted(file.name for file in folder.iterdir()) == [kept[1].name, kept[2].name]
        for name in (kept[0].name, "../x.png", "a.png", ""):
            with pytest.raises(NoSuchScreenshot):
                await screenshot_store.ask(ScreenshotQuery(session_id=SESSION, name=name), timeout=5)
        with pytest.raises(NoSuchScreenshot):
            await screenshot_store.ask(ScreenshotQuery(session_id=uuid4(), name=kept[1].name), timeout=5)


@pytest.mark.parametrize("png", [b"", b"GIF89a", PICTURE + bytes(LARGEST)], ids=["empty", "no png", "large"])
async def test_what_is_no_picture_is_refused(tmp_path, png):
    """And leaves nothing behind."""
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(lambda: ScreenshotStore(tmp_path, keep_count=2, keep_hours=1.0), screenshot_store):
        with pytest.raises(ScreenshotRefused):
            await screenshot_store.ask(keep(png=png), timeout=5)
    assert list(tmp_path.iterdir()) == []


async def test_old_pictures_go_by_themselves(tmp_path):
    """Also those of sessions that take no more; what we did not name stays."""
    folder = tmp_path / str(SESSION)
    folder.mkdir()
    (folder / "20200101-120000-000000-login.png").write_bytes(PICTURE)
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(lambda: ScreenshotStore(tmp_path, keep_count=9, keep_hours=1.0), screenshot_store):
        assert await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5) == ()
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
