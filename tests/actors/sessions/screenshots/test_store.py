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
from actors.sessions.screenshots.store import MAX_PNG_BYTES, ScreenshotStore
from runtime import Address
from runtime.testing import run_actor

from ..fake_portal import PNG

SESSION = uuid4()


def save(label: str = "login", png: bytes = PNG) -> SaveScreenshot:
    return SaveScreenshot(session_id=SESSION, label=label, png=png)


async def test_only_the_newest_screenshots_are_kept(tmp_path):
    """Each is complete, and readable only by the owner and for its own session."""
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(
        lambda: ScreenshotStore(tmp_path / "shots", keep_count=2, keep_hours=1.0), screenshot_store
    ):
        assert await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5) == ()
        saved = [
            await screenshot_store.ask(save(label), timeout=5) for label in ("Job check", "../../etc", "é")
        ]
        shown = await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5)
        assert shown == (saved[2], saved[1])
        assert [screenshot.name.rpartition("-")[2] for screenshot in saved] == [
            "check.png",
            "etc.png",
            "screenshot.png",
        ]
        assert [screenshot.size for screenshot in shown] == [len(PNG)] * 2
        query = ScreenshotQuery(session_id=SESSION, name=saved[1].name)
        assert await screenshot_store.ask(query, timeout=5) == PNG
        (folder,) = (tmp_path / "shots").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert sorted(file.name for file in folder.iterdir()) == [saved[1].name, saved[2].name]
        for name in (saved[0].name, "../x.png", "a.png", ""):
            with pytest.raises(NoSuchScreenshot):
                await screenshot_store.ask(ScreenshotQuery(session_id=SESSION, name=name), timeout=5)
        with pytest.raises(NoSuchScreenshot):
            await screenshot_store.ask(ScreenshotQuery(session_id=uuid4(), name=saved[1].name), timeout=5)


@pytest.mark.parametrize(
    "png", [b"", b"GIF89a", PNG + bytes(MAX_PNG_BYTES)], ids=["empty", "no png", "large"]
)
async def test_invalid_data_is_refused(tmp_path, png):
    """And no file is left."""
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(lambda: ScreenshotStore(tmp_path, keep_count=2, keep_hours=1.0), screenshot_store):
        with pytest.raises(ScreenshotRefused):
            await screenshot_store.ask(save(png=png), timeout=5)
    assert list(tmp_path.iterdir()) == []


async def test_old_screenshots_are_pruned(tmp_path):
    """Also those of sessions that take no more; files that the store did not name stay."""
    folder = tmp_path / str(SESSION)
    folder.mkdir()
    (folder / "20200101-120000-000000-login.png").write_bytes(PNG)
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with run_actor(lambda: ScreenshotStore(tmp_path, keep_count=9, keep_hours=1.0), screenshot_store):
        assert await screenshot_store.ask(ScreenshotsQuery(session_id=SESSION), timeout=5) == ()
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
