from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from actors.database.errors import JournalUnusable
from actors.database.journal.journal_file import FILE, JournalFile, read_depth

APPEND_FOREVER = """
import sys
from pathlib import Path
from actors.database.journal.journal_file import JournalFile

file = JournalFile(Path(sys.argv[1]))
n = 0
while True:
    file.append([f"{n}", f"{n + 1}"])
    n += 2
    print(n, flush=True)
"""


def bodies(file: JournalFile) -> list[str]:
    return [entry.body for entry in file.oldest(100_000)]


def test_entries_are_read_in_the_order_of_their_append(tmp_path: Path) -> None:
    """Also after the file was reopened, and up to the given limit."""
    file = JournalFile(tmp_path / "journal")
    assert file.append(["a", "b"]) == 2
    assert file.append(["c"]) == 3
    file.close()
    file = JournalFile(tmp_path / "journal")
    assert bodies(file) == ["a", "b", "c"]
    assert [entry.body for entry in file.oldest(2)] == ["a", "b"]
    file.close()


def test_a_removed_entry_is_gone_and_its_position_is_not_reused(tmp_path: Path) -> None:
    """A rejected entry is moved aside with the reason."""
    file = JournalFile(tmp_path)
    file.append(["a", "b", "c"])
    first, second, third = file.oldest(3)
    file.remove([first], [(second, "it is blue")])
    assert file.oldest(3) == [third]
    depth = file.depth()
    assert (depth.waiting, depth.oldest, depth.rejected, depth.last) == (1, third.appended_at, 1, 3)
    assert read_depth(tmp_path) == depth
    file.remove([third])
    assert file.depth().oldest is None
    assert file.append(["d"]) == 4
    file.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("select position, body, reason from rejected").fetchall() == [
            (2, "b", "it is blue")
        ]


def test_a_killed_process_loses_no_entry_whose_append_returned(tmp_path: Path) -> None:
    """And each append is there completely or not at all."""
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", APPEND_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            reported = 0
            for line in process.stdout:
                reported = int(line)
                if reported >= 100:
                    break
            os.kill(process.pid, signal.SIGKILL)
        file = JournalFile(tmp_path)
        stored = bodies(file)
        assert len(stored) >= reported
        assert len(stored) % 2 == 0
        assert stored == [str(n) for n in range(len(stored))]
        file.remove(file.oldest(len(stored)))
        file.close()


@pytest.mark.parametrize("content", [b"this is no database, but a text that is long enough to tell" * 100])
def test_a_file_that_is_no_journal_is_rejected_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    """The file is left unchanged."""
    path = tmp_path / FILE
    path.write_bytes(content)
    with pytest.raises(JournalUnusable, match=r"^journal .*journal\.sqlite is unusable: file is not"):
        JournalFile(tmp_path)
    assert path.read_bytes() == content
    with pytest.raises(JournalUnusable, match=r"^journal .*journal\.sqlite is unusable: file is not"):
        read_depth(tmp_path)
