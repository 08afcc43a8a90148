from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.services import DataDirInUse, DataDirUnusable, default_path, open_data_dir
from actors.services.data_dir import MAX_SOCKET_NAME, MAX_SOCKET_PATH, owner

OWNER = """
import sys
from pathlib import Path
from actors.services import open_data_dir
with open_data_dir(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_opening_creates_the_directory_and_its_folders(tmp_path: Path) -> None:
    """Only the owner can read them; others can at most pass through."""
    with open_data_dir(tmp_path / "a" / "b") as data_dir:
        assert data_dir.path == tmp_path / "a" / "b"
        for part in (data_dir.postgres, data_dir.valkey, data_dir.practice, data_dir.journal):
            assert part.stat().st_mode & 0o777 == 0o700
        assert data_dir.path.stat().st_mode & 0o777 == 0o711
        assert data_dir.run.stat().st_mode & 0o777 == 0o711


def test_it_can_be_opened_again_once_it_is_closed(tmp_path: Path) -> None:
    """The lock is an empty file after the block, also after an error."""
    with pytest.raises(KeyError), open_data_dir(tmp_path):
        raise KeyError
    assert (tmp_path / "lock").read_text() == ""
    with open_data_dir(tmp_path):
        assert owner(tmp_path) == os.getpid()
    assert owner(tmp_path) is None


def test_a_second_owner_fails_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """A killed process no longer holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        assert owner(tmp_path) == first.pid
        with pytest.raises(DataDirInUse) as caught, open_data_dir(tmp_path):
            pass
        assert caught.value.pid == first.pid
        assert str(caught.value) == f"data directory {tmp_path} is in use by process {first.pid}"
        first.kill()
    assert owner(tmp_path) is None
    with open_data_dir(tmp_path):
        pass


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A child that outlives the owner does not block the next owner."""
    with open_data_dir(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert owner(tmp_path) is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/null/data", "/proc/data", "/sys"])
def test_an_unusable_path_is_an_error(path: str) -> None:
    """The message has the path and the reason."""
    with (
        pytest.raises(DataDirUnusable, match=f"^data directory {path} is not usable: "),
        open_data_dir(Path(path)),
    ):
        pass


def test_a_long_path_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    """The short folder is the same each time, fits the longest name, and is deleted after the block."""
    deep = tmp_path / ("x" * 100)
    with open_data_dir(deep) as data_dir:
        first = data_dir.run
        assert not first.is_relative_to(deep)
        assert len(os.fsencode(first)) + MAX_SOCKET_NAME <= MAX_SOCKET_PATH
    assert not first.exists()
    with open_data_dir(deep) as data_dir:
        assert data_dir.run == first


def test_a_socket_folder_of_another_user_is_rejected(tmp_path: Path) -> None:
    """Any user can create a folder or a symlink of that name in a temporary directory."""
    deep = tmp_path / ("x" * 100)
    with open_data_dir(deep) as data_dir:
        short = data_dir.run
    short.symlink_to(tmp_path)
    try:
        with pytest.raises(DataDirUnusable, match="not a directory owned by this user"), open_data_dir(deep):
            pass
    finally:
        short.unlink()


def test_the_name_is_stable(tmp_path: Path) -> None:
    """It is created at the first opening and unique to this host and directory."""
    with open_data_dir(tmp_path / "a") as first:
        assert (tmp_path / "a" / "name").read_text().strip()
        assert first.name.startswith(f"{socket.gethostname()}:")
    with open_data_dir(tmp_path / "a") as again:
        assert again.name == first.name
    with open_data_dir(tmp_path / "b") as other:
        assert other.name != first.name


def test_the_name_is_read_once(tmp_path: Path) -> None:
    """A change of the file has no effect while the directory is open."""
    with open_data_dir(tmp_path) as data_dir:
        name = data_dir.name
        (tmp_path / "name").unlink()
        assert data_dir.name == name


def test_an_unfinished_name_file_is_replaced(tmp_path: Path) -> None:
    """A killed process may leave a draft."""
    (tmp_path / "name.new").write_text("0123")
    with open_data_dir(tmp_path) as data_dir:
        assert len(data_dir.name.rpartition(":")[2]) == 32
    assert not (tmp_path / "name.new").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"one\ntwo\n", b"x" * 10_000, None])
def test_an_invalid_name_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """Under a new name, the instance would have to wait for its own leases to expire."""
    if content is None:
        (tmp_path / "name").mkdir()
    else:
        (tmp_path / "name").write_bytes(content)
    with pytest.raises(DataDirUnusable) as caught, open_data_dir(tmp_path):
        pass
    sentence = str(caught.value)
    assert sentence.startswith(f"data directory {tmp_path} is not usable: ")
    assert str(tmp_path / "name") in sentence
    assert len(sentence) < 300 + len(str(tmp_path))
    assert owner(tmp_path) is None


def test_the_default_path_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_DATA_HOME is ignored, as its specification says."""
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/share")
    assert default_path() == Path("/srv/share/botvisor")
    monkeypatch.setenv("XDG_DATA_HOME", "share")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_path() == Path("/home/ada/.local/share/botvisor")
