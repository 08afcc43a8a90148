"""Saved logins: encrypted, and used only with their own key and account."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from actors.portals.cookies import Cookie
from actors.portals.errors import SecretKeyUnusable
from actors.portals.login_store import LoginStore, SavedLogin, open_login_store

COOKIES = (
    Cookie(name="session", value="s3cr3t-token", domain="portal.example", http_only=True, same_site="Lax"),
    Cookie(name="öß", value="", domain=".example", path="/x", expires=4e9, secure=True),
)


def login(store: LoginStore, session: str = "one", *, username: str = "ann") -> SavedLogin:
    return store.saved_login(session, base_url="https://portal.example", username=username)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "key"]


async def test_a_saved_login_survives_a_restart(tmp_path: Path):
    """Another store on the same folder returns the same cookies, for the same session and account only."""
    await login(open_login_store(tmp_path)).save(COOKIES)
    store = open_login_store(tmp_path)
    assert await login(store).load() == COOKIES
    assert await login(store, "two").load() == ()
    with capture_logs() as logs:
        assert await login(store, username="bob").load() == ()
    assert [(entry["event"], entry["reason"]) for entry in logs] == [
        ("saved_login_ignored", "saved for another account")
    ]
    assert await login(store).load() == COOKIES


async def test_the_folder_reveals_nothing(tmp_path: Path):
    """Neither cookies nor accounts nor session names; and only its owner can read it."""
    folder = tmp_path / "logins"
    await login(open_login_store(folder)).save(COOKIES)
    (file,) = files(folder)
    for plaintext in (b"s3cr3t", b"ann", b"portal", b"one"):
        assert plaintext not in file.read_bytes()
    assert "one" not in file.name
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "key", "folder"])
async def test_an_unreadable_file_is_ignored_and_logged_once(tmp_path: Path, damage: str):
    """A damaged file or another key: the session logs in and saves a new file."""
    await login(open_login_store(tmp_path)).save(COOKIES)
    (file,) = files(tmp_path)
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:50])
        case "garbage":
            file.write_bytes(b"\x00\xff" * 100)
        case "empty":
            file.write_bytes(b"")
        case "key":
            (tmp_path / "key").write_text("another secret that is long enough")
        case _:
            file.unlink()
            file.mkdir()
    store = open_login_store(tmp_path)
    with capture_logs() as logs:
        assert await login(store).load() == ()
    assert [entry["event"] for entry in logs] == ["saved_login_ignored"]
    if damage != "folder":
        await login(store).save(COOKIES)
        assert await login(store).load() == COOKIES


async def test_delete(tmp_path: Path):
    """Deletes that session's login only; deleting again does nothing."""
    store = open_login_store(tmp_path)
    await login(store).save(COOKIES)
    await login(store, "two").save(COOKIES)
    for _ in range(2):
        await store.delete("one")
    assert await login(store).load() == ()
    assert await login(store, "two").load() == COOKIES


async def test_a_failed_write_is_only_logged(tmp_path: Path):
    """The session continues."""
    folder = tmp_path / "logins"
    store = open_login_store(folder)
    (folder / "key").unlink()
    folder.rmdir()
    with capture_logs() as logs:
        await login(store).save(COOKIES)
    assert [entry["event"] for entry in logs] == ["login_not_saved"]


async def test_a_configured_key_file(tmp_path: Path):
    """The file is read and never written."""
    key = tmp_path / "mine"
    key.write_text("a long and random secret\n")
    folder = tmp_path / "logins"
    await login(open_login_store(folder, str(key))).save(COOKIES)
    assert len(list(folder.iterdir())) == 1
    assert await login(open_login_store(folder, str(key))).load() == COOKIES
    for unusable, reason in (("short", "expected 16 to 4096 bytes"), (None, "No such file or directory")):
        key.unlink() if unusable is None else key.write_text(unusable)
        with pytest.raises(SecretKeyUnusable, match=f"secret key {key} is not usable: {reason}"):
            open_login_store(folder, str(key))
