"""Findings of a definition check, and the page that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ..http.page import Page, cell, text_of
from ..portal import Job, JobOutcome, RawPage

MAX_TEXT_LENGTH: Final = 60
"""Longest text of a finding."""


class FindingState(StrEnum):
    """Result of checking one key of the definition."""

    OK = "ok"
    WAITING = "waiting"
    """It could not be checked yet."""
    FAILED = "failed"
    """A session cannot work with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result for one key of the definition."""

    key: str
    """For example ``jobs.row``."""
    value: str
    """What the definition says."""
    state: FindingState
    count: int | None = None
    """Number of matches; None if matches were not counted."""
    text: str = ""
    """Text of the first match, shortened."""
    remark: str = ""
    """What is wrong, or why it could not be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row of the job table as a session would read it."""

    job: Job
    outcome: JobOutcome | None
    """Outcome for its status; None if the definition does not map it."""


def shortened(text: str) -> str:
    """Return a text of at most `MAX_TEXT_LENGTH` characters."""
    return text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"


class CheckedPage:
    """A page of the portal against which selectors of the definition are checked."""

    def __init__(self, key: str, path: str, page: RawPage) -> None:
        tree = LexborHTMLParser(page.html)
        self.page = Page(path=path, url=page.url, status=page.status, tree=tree)
        self._key = key

    def loaded(self) -> Iterator[Finding]:
        """Yield whether the page was loaded."""
        good = self.page.status < HTTPStatus.BAD_REQUEST
        yield Finding(
            key=self._key,
            value=self.page.path,
            state=FindingState.OK if good else FindingState.FAILED,
            text=shortened(self.page.text("title")),
            remark="" if good else f"the portal answered {self.page.status}",
        )

    def rows(self, selector: str) -> list[LexborNode]:
        """Return all elements that match a row selector."""
        return self.page.tree.css(selector)

    def texts(self, row: str, selector: str) -> list[str]:
        """Return each row's text at a selector."""
        return [cell(node, selector) for node in self.rows(row)]

    def present(self, key: str, selector: str, problem: str = "") -> Finding:
        """Check that a selector matches."""
        found = self.page.tree.css(selector)
        return _finding(key, selector, found, problem or f"no element on {self.page.path} matches")

    def absent(
        self,
        key: str,
        selector: str,
        *,
        problem: str,
        expected: str,
        state: FindingState = FindingState.WAITING,
    ) -> Finding:
        """Check that a selector does not match; ``state`` is the result if it does not."""
        found = self.page.tree.css(selector)
        return Finding(
            key=key,
            value=selector,
            state=FindingState.FAILED if found else state,
            count=len(found),
            text=first_text(found),
            remark=problem if found else expected,
        )

    def field(self, key: str, name: str, form: str) -> Finding:
        """Check that a form has a field."""
        found = [node for node in self.page.tree.css(f"{form} [name]") if node.attributes.get("name") == name]
        return Finding(
            key=key,
            value=name,
            state=FindingState.OK if found else FindingState.FAILED,
            count=len(found),
            remark="" if found else f"{form} on {self.page.path} has no such field",
        )


def first_text(found: Sequence[LexborNode]) -> str:
    """Return the text of the first element, shortened; "" without one."""
    return shortened(text_of(found[0])) if found else ""


def _finding(key: str, selector: str, found: Sequence[LexborNode], problem: str) -> Finding:
    return Finding(
        key=key,
        value=selector,
        state=FindingState.OK if found else FindingState.FAILED,
        count=len(found),
        text=first_text(found),
        remark="" if found else problem,
    )
