from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.services import DataDirInUse, DataDirUnusable, default_path, open_data_dir
from actors.services.data_dir import LONGEST_SOCKET_NAME, LONGEST_SOCKET_PATH, owner

OWNER = """
import sys
from pathlib import Path
from actors.services import open_data_dir
with open_data_dir(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_opening_makes_the_folder_with_all_its_parts(tmp_path: Path) -> None:
    """What is in it is for us alone; others may at most pass through."""
    with open_data_dir(tmp_path / "a" / "b") as data_dir:
        assert data_dir.path == tmp_path / "a" / "b"
        for part in (data_dir.postgres, data_dir.valkey, data_dir.practice, data_dir.journal):
            assert part.stat().st_mode & 0o777 == 0o700
        assert data_dir.path.stat().st_mode & 0o777 == 0o711
        assert data_dir.run.stat().st_mode & 0o777 == 0o711


def test_it_can_be_opened_again_once_it_is_closed(tmp_path: Path) -> None:
    """Nothing is left of the lock but an empty file, also when the block failed."""
    with pytest.raises(KeyError), open_data_dir(tmp_path):
        raise KeyError
    assert (tmp_path / "lock").read_text() == ""
    with open_data_dir(tmp_path):
        assert owner(tmp_path) == os.getpid()
    assert owner(tmp_path) is None


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    """A process that is killed lets go of it."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        assert owner(tmp_path) == first.pid
        with pytest.raises(DataDirInUse) as caught, open_data_dir(tmp_path):
            pass
        assert caught.value.pid == first.pid
        assert str(caught.value) == f"the data directory {tmp_path} is in use by process {first.pid}"
        first.kill()
    assert owner(tmp_path) is None
    with open_data_dir(tmp_path):
        pass


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A child that outlives its owner does not keep the next one out."""
    with open_data_dir(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert owner(tmp_path) is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/data", "/proc/data", "/sys"])
def test_a_place_that_does_not_serve_is_one_sentence(place: str) -> None:
    """It says which folder and why."""
    with (
        pytest.raises(DataDirUnusable, match=f"^the data directory {place} cannot be used: "),
        open_data_dir(Path(place)),
    ):
        pass


def test_sockets_of_a_long_path_go_to_a_short_one(tmp_path: Path) -> None:
    """The short folder is the same each time, holds the longest name, and goes when the block is left."""
    deep = tmp_path / ("x" * 100)
    with open_data_dir(deep) as data_dir:
        first = data_dir.run
        assert not first.is_relative_to(deep)
        assert len(os.fsencode(first)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH
    assert not first.exists()
    with open_data_dir(deep) as data_dir:
        assert data_dir.run == first


def test_a_short_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """Anybody may make a folder of that name among the temporary ones, or point it elsewhere."""
    deep = tmp_path / ("x" * 100)
    with open_data_dir(deep) as data_dir:
        short = data_dir.run
    short.symlink_to(tmp_path)
    try:
        with pytest.raises(DataDirUnusable, match="it is not a folder of ours"), open_data_dir(deep):
            pass
    finally:
        short.unlink()


def test_its_name_stays_the_same(tmp_path: Path) -> None:
    """It is there from the first opening on, for this host and this directory alone."""
    with open_data_dir(tmp_path / "a") as first:
        assert (tmp_path / "a" / "name").read_text().strip()
        assert first.name.startswith(f"{socket.gethostname()}:")
    with open_data_dir(tmp_path / "a") as again:
        assert again.name == first.name
    with open_data_dir(tmp_path / "b") as other:
        assert other.name != first.name


def test_its_name_is_not_read_again(tmp_path: Path) -> None:
    """Whatever becomes of the file, the owner of a lease stays who it is while it is open."""
    with open_data_dir(tmp_path) as data_dir:
        name = data_dir.name
        (tmp_path / "name").unlink()
        assert data_dir.name == name


def test_a_name_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    """A draft that a killed process left behind is no name."""
    (tmp_path / "name.new").write_text("0123")
    with open_data_dir(tmp_path) as data_dir:
        assert len(data_dir.name.rpartition(":")[2]) == 32
    assert not (tmp_path / "name.new").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"one\ntwo\n", b"x" * 10_000, None])
def test_a_name_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    """To go on under another name would be to take the sessions away from ourselves."""
    if content is None:
        (tmp_path / "name").mkdir()
    else:
        (tmp_path / "name").write_bytes(content)
    with pytest.raises(DataDirUnusable) as caught, open_data_dir(tmp_path):
        pass
    sentence = str(caught.value)
    assert sentence.startswith(f"the data directory {tmp_path} cannot be used: ")
    assert str(tmp_path / "name") in sentence
    assert len(sentence) < 300 + len(str(tmp_path))
    assert owner(tmp_path) is None


def test_the_usual_place_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_DATA_HOME is ignored, as its specification says."""
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/share")
    assert default_path() == Path("/srv/share/botvisor")
    monkeypatch.setenv("XDG_DATA_HOME", "share")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_path() == Path("/home/ada/.local/share/botvisor")
