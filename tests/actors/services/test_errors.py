from __future__ import annotations

from pathlib import Path

import pytest

from actors.services import DataDirInUse, DataDirVersion, ProcessExited

FATAL = ("LOG:  starting", 'FATAL:  role "x" is not there', "LOG:  database system is shut down")


@pytest.mark.parametrize(
    ("status", "tail", "sentence"),
    [
        (0, (), "web ended with status 0"),
        (3, ("one", "two"), "web ended with status 3: two"),
        (1, FATAL, 'web ended with status 1: FATAL:  role "x" is not there'),
        (-9, ("working",), "web was ended by SIGKILL: working"),
        (-40, (), "web was ended by signal 40"),
    ],
)
def test_an_exit_is_one_sentence_with_the_line_that_tells_why(
    status: int, tail: tuple[str, ...], sentence: str
) -> None:
    """The sentence names the process, how it ended, and its most telling line."""
    assert str(ProcessExited("web", status, tail)) == sentence


def test_data_directory_errors_name_the_folder_and_the_way_out() -> None:
    """Each of them is a sentence with the path, and the pid or the versions where they are known."""
    path = Path("/srv/bots")
    assert str(DataDirInUse(path, 17)) == "the data directory /srv/bots is in use by process 17"
    assert str(DataDirInUse(path, None)) == "the data directory /srv/bots is in use by another process"
    assert "made by PostgreSQL 17 and cannot be opened by PostgreSQL 18" in str(
        DataDirVersion(path, "17", "18")
    )
