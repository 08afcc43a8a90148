from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.database.errors import JournalUnusable
from actors.database.journal.journal_file import JournalFile

APPEND_FOREVER = """
import sys
from pathlib import Path
from actors.records.journal_file import JournalFile

file = JournalFile(Path(sys.argv[1]))
n = 0
while True:
    file.append([f"{n}", f"{n + 1}"])
    n += 2
    print(n, flush=True)
"""


def bodies(file: JournalFile) -> list[str]:
    return [entry.body for entry in file.oldest(100_000)]


def test_what_was_kept_comes_out_in_its_order(tmp_path: Path) -> None:
    """Also after the file was closed, and as many at once as are asked for."""
    file = JournalFile(tmp_path / "journal" / "facts.sqlite")
    assert file.append(["a", "b"]) == 2
    assert file.append(["c"]) == 3
    file.close()
    file = JournalFile(tmp_path / "journal" / "facts.sqlite")
    assert bodies(file) == ["a", "b", "c"]
    assert [entry.body for entry in file.oldest(2)] == ["a", "b"]
    file.close()


def test_what_is_removed_is_gone_and_its_place_is_not_given_again(tmp_path: Path) -> None:
    """What was refused is set aside with the reason."""
    file = JournalFile(tmp_path / "facts.sqlite")
    file.append(["a", "b", "c"])
    first, second, third = file.oldest(3)
    file.remove([first], [(second, "it is blue")])
    assert file.oldest(3) == [third]
    depth = file.depth()
    assert (depth.waiting, depth.oldest, depth.refused, depth.last) == (1, third.kept_at, 1, 3)
    file.remove([third])
    assert file.depth().oldest is None
    assert file.append(["d"]) == 4
    file.close()


def test_a_killed_process_loses_nothing_that_it_had_been_told_is_kept(tmp_path: Path) -> None:
    """And no append is there in half."""
    for _ in range(3):
        path = tmp_path / "facts.sqlite"
        with subprocess.Popen(
            [sys.executable, "-c", APPEND_FOREVER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            told = 0
            for line in process.stdout:
                told = int(line)
                if told >= 100:
                    break
            os.kill(process.pid, signal.SIGKILL)
        file = JournalFile(path)
        kept = bodies(file)
        assert len(kept) >= told
        assert len(kept) % 2 == 0
        assert kept == [str(n) for n in range(len(kept))]
        file.remove(file.oldest(len(kept)))
        file.close()


@pytest.mark.parametrize("content", [b"this is no database, but a text that is long enough to tell" * 100])
def test_a_file_that_is_no_journal_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """It is left as it is."""
    path = tmp_path / "facts.sqlite"
    path.write_bytes(content)
    with pytest.raises(JournalUnusable, match=r"^the journal .*facts\.sqlite cannot be used: file is not"):
        JournalFile(path)
    assert path.read_bytes() == content
