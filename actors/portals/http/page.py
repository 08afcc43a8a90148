"""A parsed page of a portal, and the fields that its forms submit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ..definition.definition import JobFields
from ..errors import PageChanged
from ..portal import Job

NOT_SENT_TYPES = frozenset({"submit", "button", "image", "reset", "file"})
"""Input types whose values are not submitted by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of a page: its method, its URL and the fields that it submits."""

    page: str
    method: str
    url: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    """Contains the password once it is filled in."""

    def filled(self, values: Mapping[str, str]) -> Form:
        """Return the form with some of its fields filled in.

        Raises:
            PageChanged: the form has no such field.
        """
        missing = values.keys() - {name for name, _ in self.fields}
        if missing:
            raise PageChanged(self.page, f'[name="{min(missing)}"]')
        fields = tuple((name, values.get(name, value)) for name, value in self.fields)
        return Form(page=self.page, method=self.method, url=self.url, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A parsed response of the portal."""

    path: str
    """The requested path; names the page in errors."""
    url: str
    """URL after redirects."""
    status: int
    tree: LexborHTMLParser

    def has(self, selector: str) -> bool:
        """Return whether any element matches."""
        return self.tree.css_first(selector) is not None

    def text(self, selector: str) -> str:
        """Return the text of the first match, or ""."""
        return text_of(self.tree.css_first(selector))

    def form(self, selector: str, within: LexborNode | None = None) -> Form:
        """Return the first matching form on the page, or within one of its nodes.

        Raises:
            PageChanged: none matches, or its action is not a URL.
        """
        node = (self.tree if within is None else within).css_first(selector)
        if node is None:
            raise PageChanged(self.path, selector)
        try:
            url = urljoin(self.url, node.attributes.get("action") or self.url)
        except ValueError:
            raise PageChanged(self.path, f"{selector} with a usable action") from None
        return Form(
            page=self.path,
            method=(node.attributes.get("method") or "get").upper(),
            url=url,
            fields=tuple(_fields(node)),
        )


def text_of(node: LexborNode | None) -> str:
    """Return a node's text with normalized white space; "" for None."""
    return "" if node is None else " ".join(node.text().split())


def cell(row: LexborNode, selector: str) -> str:
    """Return a row's text at a selector; "" for an empty selector or no match."""
    return text_of(row.css_first(selector)) if selector else ""


def job_in(row: LexborNode, fields: JobFields) -> Job:
    """Return the job of a row; its ref is "" if the row has none."""
    return Job(
        ref=cell(row, fields.ref),
        submitted=cell(row, fields.submitted),
        appt_date=cell(row, fields.appt_date),
        appt_time=cell(row, fields.appt_time),
        duration=cell(row, fields.duration),
        language=cell(row, fields.language),
        job_type=cell(row, fields.job_type),
        status=cell(row, fields.status),
    )


def _fields(form: LexborNode) -> Iterator[tuple[str, str]]:
    """Yield the fields that a browser submits for an unchanged form when its first button is clicked."""
    seen_submit = False
    for node in form.css("input, select, textarea, button"):
        name = node.attributes.get("name")
        kind = (node.attributes.get("type") or "").lower()
        is_submit = kind == "submit" or (node.tag == "button" and kind == "")
        is_default, seen_submit = is_submit and not seen_submit, seen_submit or is_submit
        if not name or "disabled" in node.attributes:
            continue
        value = node.attributes.get("value") or ""
        match node.tag:
            case "input" if kind in {"checkbox", "radio"}:
                if "checked" in node.attributes:
                    yield name, value or "on"
            case "input" | "button" if is_submit:
                if is_default:
                    yield name, value
            case "input" if kind not in NOT_SENT_TYPES:
                yield name, value
            case "textarea":
                yield name, node.text()
            case "select":
                option = node.css_first("option[selected]") or node.css_first("option")
                if option is not None:
                    option_value = option.attributes.get("value")
                    yield name, text_of(option) if option_value is None else option_value
            case _:
                pass
