"""One page of a portal while a definition is held against it: what its selectors find there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ..http.page import Page, cell, text_of
from ..portal import RawPage
from .findings import Finding, State, shortened


class CheckedPage:
    """A page under inspection."""

    def __init__(self, key: str, path: str, sheet: RawPage) -> None:
        tree = LexborHTMLParser(sheet.html)
        self.answer = Page(path=path, url=sheet.address, status=sheet.status, tree=tree)
        self._key = key

    def answered(self) -> Iterator[Finding]:
        """Yield how the page itself was answered."""
        good = self.answer.status < HTTPStatus.BAD_REQUEST
        yield Finding(
            key=self._key,
            value=self.answer.path,
            state=State.OK if good else State.FAILED,
            text=shortened(self.answer.text("title")),
            remark="" if good else f"it answered {self.answer.status}",
        )

    def rows(self, selector: str) -> list[LexborNode]:
        """Return the rows of a table."""
        return self.answer.tree.css(selector)

    def texts(self, row: str, selector: str) -> list[str]:
        """Return what each row shows at a selector."""
        return [cell(node, selector) for node in self.rows(row)]

    def one(self, key: str, selector: str, wrong: str = "") -> Finding:
        """Expect a selector to be there."""
        found = self.answer.tree.css(selector)
        return _finding(key, selector, found, wrong or f"nothing on {self.answer.path} matches it")

    def none(
        self, key: str, selector: str, *, wrong: str, right: str, state: State = State.WAITING
    ) -> Finding:
        """Expect a selector not to be there; ``state`` is for when it is not."""
        found = self.answer.tree.css(selector)
        return Finding(
            key=key,
            value=selector,
            state=State.FAILED if found else state,
            count=len(found),
            text=first_text(found),
            remark=wrong if found else right,
        )

    def field(self, key: str, name: str, form: str) -> Finding:
        """Expect a form to have a field."""
        found = [
            node for node in self.answer.tree.css(f"{form} [name]") if node.attributes.get("name") == name
        ]
        return Finding(
            key=key,
            value=name,
            state=State.OK if found else State.FAILED,
            count=len(found),
            remark="" if found else f"{form} on {self.answer.path} has no such field",
        )


def first_text(found: Sequence[LexborNode]) -> str:
    return shortened(text_of(found[0])) if found else ""


def _finding(key: str, selector: str, found: Sequence[LexborNode], wrong: str) -> Finding:
    return Finding(
        key=key,
        value=selector,
        state=State.OK if found else State.FAILED,
        count=len(found),
        text=first_text(found),
        remark="" if found else wrong,
    )
