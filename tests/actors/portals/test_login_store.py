"""Log-ins on file: kept, encrypted, and never trusted further than their key and account."""

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
    return store.of(session, base_url="https://portal.example", username=username)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "key"]


async def test_a_log_in_outlives_its_process(tmp_path: Path):
    """Another store on the same folder has the same cookies, for the same session and account only."""
    await login(open_login_store(tmp_path)).save(COOKIES)
    store = open_login_store(tmp_path)
    assert await login(store).load() == COOKIES
    assert await login(store, "two").load() == ()
    with capture_logs() as logs:
        assert await login(store, username="bob").load() == ()
    assert [(entry["event"], entry["reason"]) for entry in logs] == [
        ("saved_login_ignored", "another account's")
    ]
    assert await login(store).load() == COOKIES


async def test_nothing_can_be_read_from_the_folder(tmp_path: Path):
    """Neither cookies nor accounts nor sessions, and by nobody else."""
    folder = tmp_path / "logins"
    await login(open_login_store(folder)).save(COOKIES)
    (file,) = files(folder)
    for told in (b"s3cr3t", b"ann", b"portal", b"one"):
        assert told not in file.read_bytes()
    assert "one" not in file.name
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "key", "folder"])
async def test_what_cannot_be_read_is_ignored_with_one_line(tmp_path: Path, damage: str):
    """A damaged file, another key, another sheet: the session signs in and writes a good one."""
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


async def test_forgetting(tmp_path: Path):
    """Only that session's, and again and again."""
    store = open_login_store(tmp_path)
    await login(store).save(COOKIES)
    await login(store, "two").save(COOKIES)
    for _ in range(2):
        await store.forget("one")
    assert await login(store).load() == ()
    assert await login(store, "two").load() == COOKIES


async def test_a_folder_that_cannot_be_written_costs_a_log_in_only(tmp_path: Path):
    """It is logged; the session works on."""
    folder = tmp_path / "logins"
    store = open_login_store(folder)
    (folder / "key").unlink()
    folder.rmdir()
    with capture_logs() as logs:
        await login(store).save(COOKIES)
    assert [entry["event"] for entry in logs] == ["login_not_saved"]


async def test_a_key_of_ones_own(tmp_path: Path):
    """The operator's file is read and never written."""
    key = tmp_path / "mine"
    key.write_text("a sentence that nobody guesses\n")
    folder = tmp_path / "logins"
    await login(open_login_store(folder, str(key))).save(COOKIES)
    assert len(list(folder.iterdir())) == 1
    assert await login(open_login_store(folder, str(key))).load() == COOKIES
    for unusable, reason in (("short", "expected 16 to 4096 bytes"), (None, "No such file or directory")):
        key.unlink() if unusable is None else key.write_text(unusable)
        with pytest.raises(SecretKeyUnusable, match=f"the secret key {key} cannot be used: {reason}"):
            open_login_store(folder, str(key))
