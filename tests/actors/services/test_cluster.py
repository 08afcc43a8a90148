from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from actors.services import DataDirVersion
from actors.services.cluster import ensure_cluster, postgres_programs, stale_pid
from actors.services.identity import make_private_directory, unprivileged


async def ensure(home: Path) -> Path:
    """Create or check a cluster in `home`."""
    programs = postgres_programs()
    identity = unprivileged(home, programs / "postgres")
    make_private_directory(home, identity)
    await ensure_cluster(home / "data", programs, identity)
    return home / "data"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder for a cluster."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


async def test_an_interrupted_creation_is_repeated(home: Path) -> None:
    """A cluster has its final name only when complete; an existing one is unchanged."""
    half = home / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (half / "base").mkdir()
    cluster = await ensure(home)
    assert not half.exists()
    made = (cluster / "global" / "pg_control").stat()
    await ensure(home)
    assert (cluster / "global" / "pg_control").stat() == made


async def test_another_major_version_is_an_error(home: Path) -> None:
    """The cluster is unchanged."""
    cluster = home / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(
        DataDirVersion, match=r"were created by PostgreSQL 9; PostgreSQL \d\d cannot open them:"
    ):
        await ensure(home)
    assert os.listdir(cluster) == ["PG_VERSION"]


def test_stale_pids(tmp_path: Path) -> None:
    """A process of another name, a zombie and an unused pid are not the old server."""
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
