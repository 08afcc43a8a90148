"""The READMEs name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .source import PACKAGES, ROOT, relative

READMES = [
    ROOT / "README.md",
    *(path for name in PACKAGES for path in sorted((ROOT / name).rglob("README.md"))),
]
FILE = re.compile(r"`([\w./-]+\.(?:py|js|sql|html))`")


@pytest.mark.parametrize("readme", READMES, ids=relative)
def test_every_file_in_a_readme_exists(readme: Path) -> None:
    """Below the README's folder, the root or the tests."""
    known = [
        relative(path)
        for folder in (readme.parent, *(ROOT / name for name in (*PACKAGES, "tests")))
        for path in folder.rglob("*")
        if path.is_file() and ".venv" not in path.parts
    ]
    named = FILE.findall(readme.read_text(encoding="utf-8"))
    assert [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in known)] == []
