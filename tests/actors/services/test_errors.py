from __future__ import annotations

from pathlib import Path

import pytest

from actors.services import DataDirInUse, DataDirVersion, ProcessExited

FATAL = ("LOG:  starting", 'FATAL:  role "x" is not there', "LOG:  database system is shut down")


@pytest.mark.parametrize(
    ("status", "tail", "sentence"),
    [
        (0, (), "web exited with status 0"),
        (3, ("one", "two"), "web exited with status 3: two"),
        (1, FATAL, 'web exited with status 1: FATAL:  role "x" is not there'),
        (-9, ("working",), "web was killed by SIGKILL: working"),
        (-40, (), "web was killed by signal 40"),
    ],
)
def test_an_exit_is_one_sentence_with_the_reason(status: int, tail: tuple[str, ...], sentence: str) -> None:
    """It names the process, how it ended, and the output line with the error."""
    assert str(ProcessExited("web", status, tail)) == sentence


def test_data_directory_errors_name_the_directory() -> None:
    """Each has the path, and the pid or the versions if they are known."""
    path = Path("/srv/bots")
    assert str(DataDirInUse(path, 17)) == "data directory /srv/bots is in use by process 17"
    assert str(DataDirInUse(path, None)) == "data directory /srv/bots is in use by another process"
    assert "created by PostgreSQL 17; PostgreSQL 18 cannot open them" in str(DataDirVersion(path, "17", "18"))
