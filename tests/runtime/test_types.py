"""Type checkers infer the type of a reply from its request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]

PROGRAM = """
    from dataclasses import dataclass
    from typing import assert_type

    from runtime import Address, Request


    @dataclass(frozen=True, slots=True, kw_only=True)
    class Total(Request[int]):
        pass


    @dataclass(frozen=True, slots=True, kw_only=True)
    class Names(Request[list[str]]):
        prefix: str


    @dataclass(frozen=True, slots=True, kw_only=True)
    class Note:
        text: str


    async def use(address: Address[Total | Names | Note]) -> None:
        assert_type(await address.ask(Total(), timeout=1), int)
        assert_type(await address.ask(Names(prefix="a"), timeout=1), list[str])
        await address.tell(Note(text="a"))
        await address.tell("text")  # wrong: no message of this actor
        await address.ask(Note(text="a"), timeout=1)  # wrong: it has no reply
        await address.ask(Total())  # wrong: no deadline
        _: str = await address.ask(Total(), timeout=1)  # wrong: the reply is an int
"""


def test_mypy_knows_the_reply(tmp_path: Path) -> None:
    """Each line that says it is wrong is an error, and no other."""
    program = tmp_path / "program.py"
    program.write_text(dedent(PROGRAM))
    wrong = [n for n, line in enumerate(program.read_text().splitlines(), 1) if "# wrong" in line]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", program],
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert [int(line.split(":")[1]) for line in errors] == wrong, checked.stdout + checked.stderr
