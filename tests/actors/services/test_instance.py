from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.services import (
    DataDir,
    DataDirUnusable,
    Instance,
    open_data_dir,
    read_instance,
    remove_instance,
    write_instance,
)

HERE = Instance(
    pid=os.getpid(),
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    web_url="http://127.0.0.1:8000",
    practice_url=None,
    database="postgresql:///botvisor",
    redis="unix:///run/valkey.sock?db=0",
)


def test_write_read_and_remove(data_dir: DataDir) -> None:
    """Only its owner can read the file; removing it again does nothing."""
    assert read_instance(data_dir.path) is None
    write_instance(data_dir, HERE)
    assert read_instance(data_dir.path) == HERE
    assert (data_dir.path / "instance.json").stat().st_mode & 0o777 == 0o600
    remove_instance(data_dir)
    remove_instance(data_dir)
    assert read_instance(data_dir.path) is None


def test_closing_the_data_directory_deletes_the_file(tmp_path: Path) -> None:
    """`remove_instance` need not be called."""
    with open_data_dir(tmp_path) as data_dir:
        write_instance(data_dir, HERE)
    assert os.listdir(tmp_path / "run") == []
    assert not (tmp_path / "instance.json").exists()


def test_a_file_of_a_killed_instance_is_ignored(tmp_path: Path) -> None:
    """Both without an owner of the directory and with another owner."""
    with open_data_dir(tmp_path) as data_dir:
        write_instance(data_dir, HERE)
        left = (tmp_path / "instance.json").read_bytes()
    (tmp_path / "instance.json").write_bytes(left)
    assert read_instance(tmp_path) is None
    with open_data_dir(tmp_path):
        (tmp_path / "instance.json").write_bytes(left.replace(str(os.getpid()).encode(), b"1"))
        assert read_instance(tmp_path) is None


def test_a_missing_directory_has_no_instance(tmp_path: Path) -> None:
    """The result is None, and nothing is created."""
    assert read_instance(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()


def test_an_invalid_file_is_an_error(data_dir: DataDir) -> None:
    """The message has the likely cause."""
    (data_dir.path / "instance.json").write_text('{"pid": "many"}')
    with pytest.raises(DataDirUnusable, match="written by another version of botvisor"):
        read_instance(data_dir.path)
