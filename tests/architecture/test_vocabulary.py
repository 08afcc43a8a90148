"""The words of the code are the field's: none of the banned ones stands in a name, a text or a document.

The words come from the project's glossary. Where one is right, it stands in `ALLOWED` with the reason.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from .source import PACKAGES, ROOT, relative

BANNED: Final = frozenset(
    (
        "album",
        "albums",
        "announcements",
        "books",
        "culprit",
        "desk",
        "desks",
        "doors",
        "errand",
        "errands",
        "farewell",
        "glance",
        "grower",
        "herald",
        "house",
        "houses",
        "insist",
        "insists",
        "leash",
        "lookout",
        "manners",
        "mood",
        "moods",
        "narrator",
        "narrators",
        "nobody",
        "patience",
        "roster",
        "rosters",
        "shelf",
        "sights",
        "somebody",
        "someone",
        "staff",
        "strays",
        "teller",
        "tidings",
        "turnstile",
        "untold",
        "visitor",
        "whoever",
        "whom",
        "workplace",
        "workplaces",
    )
)
"""Metaphors, private names and vague subjects. A name is split at underscores and capitals."""

PHRASES: Final = (
    "is told",
    "are told",
    "was heard of",
    "were heard of",
    "on duty",
    "last words",
    "on record",
    "the record is away",
    "is away",
    "those who",
)
"""In sentences, docstrings, comments and documents."""

ALLOWED: Final[dict[tuple[str, str], str]] = {
    ("nobody", "actors/services/identity.py"): "the name of a Unix user",
    ("nobody", "tests/web/cli/commands/test_verify.py"): "a user in an address",
    ("nobody", "tests/web/cli/test_command.py"): "a user in a path",
}
"""Word or phrase and file, each with the reason."""

TEXTS: Final = (".css", ".html", ".js", ".md", ".py", ".toml")
FOLDERS: Final = (*PACKAGES, "config", "tests")
VENDORED: Final = "vendor"

PHRASE: Final = re.compile(rf"\b({'|'.join(PHRASES)})\b", re.IGNORECASE)
WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def documents() -> list[Path]:
    """Every text that people read: code, settings, the page and the READMEs."""
    found = [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in TEXTS and VENDORED not in path.parts and "architecture" not in path.parts
    ]
    return [*found, ROOT / "README.md", ROOT / "pyproject.toml", ROOT / "docker-compose.yml"]


def banned_in(text: str) -> Iterator[tuple[int, str]]:
    """Line number and word of everything banned in a text, names included."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in WORD.findall(line):
            if word.lower() in BANNED:
                yield number, word.lower()
        for phrase in PHRASE.findall(line):
            yield number, phrase.lower()


@pytest.mark.parametrize("folder", [*FOLDERS, ""], ids=lambda folder: folder or "root")
def test_no_banned_word(folder: str) -> None:
    """Names, sentences, docstrings, comments, log events and documents use the glossary's words."""
    found = [
        f"{relative(path)}:{number}: {word}"
        for path in documents()
        if (relative(path).partition("/")[0] if "/" in relative(path) else "") == folder
        for number, word in banned_in(path.read_text(encoding="utf-8"))
        if (word, relative(path)) not in ALLOWED
    ]
    assert found == []


def test_modules_are_not_named_with_a_banned_word() -> None:
    """Nor folders and files."""
    found = [
        relative(path)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in TEXTS and BANNED.intersection(map(str.lower, WORD.findall(relative(path))))
    ]
    assert found == []


def test_every_exception_is_needed() -> None:
    """What `ALLOWED` lists is still there."""
    needed = {
        (word, relative(path))
        for path in documents()
        for _, word in banned_in(path.read_text(encoding="utf-8"))
    }
    assert [entry for entry in ALLOWED if entry not in needed] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class HeraldOfNews: ...", ["herald"]),
        ("self._desk = turnstile", ["desk", "turnstile"]),
        ("# it is told to somebody", ["somebody", "is told"]),
        ("the supervisor restarts it", []),
        ("wholesale households", []),
    ],
)
def test_the_check_finds_words(text: str, expected: list[str]) -> None:
    """Inside names of both styles, and in sentences."""
    assert [word for _, word in banned_in(text)] == expected


def test_python_names_are_covered() -> None:
    """Each name token of the packages is split into the words that the check sees."""
    source = "def narrate_houseKeeping(): pass"
    names = [token.string for token in tokenize.generate_tokens(io.StringIO(source).readline)]
    assert [word for _, word in banned_in(" ".join(names))] == ["house"]
