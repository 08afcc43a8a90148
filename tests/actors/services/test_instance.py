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


def test_a_running_instance_is_found(data_dir: DataDir) -> None:
    """What was written is read, for us alone, until it is removed."""
    assert read_instance(data_dir.path) is None
    write_instance(data_dir, HERE)
    assert read_instance(data_dir.path) == HERE
    assert (data_dir.path / "instance.json").stat().st_mode & 0o777 == 0o600
    remove_instance(data_dir)
    remove_instance(data_dir)
    assert read_instance(data_dir.path) is None


def test_closing_the_data_directory_ends_the_instance(tmp_path: Path) -> None:
    """Also without a word from the one that wrote it."""
    with open_data_dir(tmp_path) as data_dir:
        write_instance(data_dir, HERE)
    assert os.listdir(tmp_path / "run") == []
    assert not (tmp_path / "instance.json").exists()


def test_what_a_killed_instance_left_is_not_believed(tmp_path: Path) -> None:
    """Neither while nobody owns the folder, nor once somebody else does."""
    with open_data_dir(tmp_path) as data_dir:
        write_instance(data_dir, HERE)
        left = (tmp_path / "instance.json").read_bytes()
    (tmp_path / "instance.json").write_bytes(left)
    assert read_instance(tmp_path) is None
    with open_data_dir(tmp_path):
        (tmp_path / "instance.json").write_bytes(left.replace(str(os.getpid()).encode(), b"1"))
        assert read_instance(tmp_path) is None


def test_there_is_no_instance_where_there_is_no_folder(tmp_path: Path) -> None:
    """That is an answer, not an error, and makes nothing."""
    assert read_instance(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()


def test_a_file_of_another_form_is_one_sentence(data_dir: DataDir) -> None:
    """It names the folder and the likely cause."""
    (data_dir.path / "instance.json").write_text('{"pid": "many"}')
    with pytest.raises(DataDirUnusable, match="written by another version of botvisor"):
        read_instance(data_dir.path)
