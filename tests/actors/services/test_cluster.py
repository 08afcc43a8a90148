from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from actors.services import DataDirVersion
from actors.services.cluster import binaries, ensure_cluster, stale_pid
from actors.services.identity import own_directory, unprivileged


async def ensure(home: Path) -> Path:
    """Make or check a cluster in `home`."""
    programs = binaries()
    identity = unprivileged(home, programs / "postgres")
    own_directory(home, identity)
    await ensure_cluster(home / "data", programs, identity)
    return home / "data"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of ours for a cluster."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


async def test_what_an_interrupted_start_left_is_made_anew(home: Path) -> None:
    """A cluster has its name only when it is whole; an existing one is left as it is."""
    half = home / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (half / "base").mkdir()
    cluster = await ensure(home)
    assert not half.exists()
    made = (cluster / "global" / "pg_control").stat()
    await ensure(home)
    assert (cluster / "global" / "pg_control").stat() == made


async def test_databases_of_another_major_version_are_one_sentence(home: Path) -> None:
    """Nothing is changed in them."""
    cluster = home / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(
        DataDirVersion, match=r"were made by PostgreSQL 9 and cannot be opened by PostgreSQL \d\d:"
    ):
        await ensure(home)
    assert os.listdir(cluster) == ["PG_VERSION"]


def test_the_pid_of_a_killed_server_is_told_from_a_running_one(tmp_path: Path) -> None:
    """A process of another name, a zombie and a free number are not the old server."""
    file = tmp_path / "postmaster.pid"
    assert stale_pid(tmp_path) is None
    file.write_text("")
    assert stale_pid(tmp_path) is None
    file.write_text(f"{os.getpid()}\n/somewhere\n")
    assert stale_pid(tmp_path) == os.getpid()

    (tmp_path / "postgres").symlink_to("/bin/sleep")
    running = subprocess.Popen([tmp_path / "postgres", "60"])
    file.write_text(f"{running.pid}\n")
    assert stale_pid(tmp_path) is None
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)  # now it is a zombie
    assert stale_pid(tmp_path) == running.pid
    running.wait()
    assert stale_pid(tmp_path) == running.pid
