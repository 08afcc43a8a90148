"""Holds a definition against a live portal: what each selector finds, and what the rows come to as jobs.

It signs in and reads the pages that a session would read. It clicks nothing, so that what only a click would
show stays untried; but a mark of success that is there before any click is found out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import fields
from typing import Final
from urllib.parse import quote_plus

from selectolax.lexbor import LexborNode

from ..definition.definition import JobFields, PortalDefinition, ResultFields
from ..errors import PortalError
from ..http.page import cell, job_in, text_of
from ..portal import Outcome, ReadablePortal
from .checked_page import CheckedPage, first_text
from .findings import Finding, Sample, State, shortened

SAMPLES: Final = 3
"""Rows that are shown as jobs."""


async def inspect(
    portal: ReadablePortal, definition: PortalDefinition
) -> AsyncGenerator[Finding | Sample, None]:
    """Yield what is found, page by page, until there is no going on.

    Raises:
        PortalUnavailable: the portal cannot be asked, which says nothing about the definition.
    """
    login, jobs, results = definition.login, definition.jobs, definition.results
    page = CheckedPage("login.path", login.path, await portal.read(login.path))
    for finding in (*page.answered(), *_login_page(page, definition)):
        yield finding
        if finding.state is State.FAILED:
            return
    try:
        await portal.login()
    except PortalError as error:
        yield Finding(key="credentials", value="", state=State.FAILED, remark=str(error))
        return
    yield Finding(key="credentials", value="", state=State.OK, remark="signed in")

    page = CheckedPage("jobs.path", jobs.path, await portal.read(jobs.path))
    for finding in (*page.answered(), *_jobs_page(page, definition)):
        yield finding
    for row in page.rows(jobs.row)[:SAMPLES]:
        job = job_in(row, jobs.fields)
        yield Sample(job=job, outcome=definition.status_of(job.status))

    refs = page.texts(jobs.row, jobs.fields.ref)
    page = CheckedPage("results.path", results.path, await portal.read(results.path))
    for finding in (*page.answered(), *_results_page(page, definition)):
        yield finding
    refs = [ref for ref in (*page.texts(results.row, results.fields.ref), *refs) if ref]
    if results.lookup and refs:
        path = f"{results.path}?{quote_plus(results.lookup)}={quote_plus(refs[0])}"
        page = CheckedPage("results.lookup", path, await portal.read(path))
        yield page.one("results.lookup", results.table, f"the answer to {path} lacks {results.table}")


def _login_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    login = definition.login
    yield page.one("login.form", login.form)
    yield page.field("login.username_field", login.username_field, login.form)
    yield page.field("login.password_field", login.password_field, login.form)
    if login.totp_field and not login.totp_form:
        yield page.field("login.totp_field", login.totp_field, login.form)
    signed_out = f"it is on {page.answer.path} although nobody is signed in"
    yield page.none(
        "login.success", login.success, wrong=signed_out, right="not there before signing in", state=State.OK
    )
    # There already it does no harm, as long as it is gone once signed in: and that is seen by signing in.
    found = page.answer.tree.css(login.failure)
    remark = "there before anything was refused" if found else "shown only when the login is refused"
    yield Finding(
        key="login.failure", value=login.failure, state=State.WAITING, count=len(found), remark=remark
    )


def _jobs_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    jobs, path = definition.jobs, page.answer.path
    if definition.is_login(page.answer.url):
        sentence = f"it leads to {page.answer.url} although we have just signed in"
        yield Finding(key="jobs.path", value=jobs.path, state=State.FAILED, remark=sentence)
        return
    yield page.one("login.success", definition.login.success)
    signed_in = f"it is on {path} although we are signed in"
    yield page.none(
        "expired.mark",
        definition.expired.mark,
        wrong=signed_in,
        right="not there when signed in",
        state=State.OK,
    )
    yield page.one("jobs.table", jobs.table)
    rows = page.rows(jobs.row)
    empty = "no jobs just now: come back to see the fields tried"
    yield Finding(
        key="jobs.row",
        value=jobs.row,
        state=State.OK if rows else State.WAITING,
        count=len(rows),
        text=first_text(rows),
        remark="" if rows else empty,
    )
    if rows:
        yield from _fields("jobs.fields", rows, jobs.fields)
        yield from _words(page.texts(jobs.row, jobs.fields.status) if jobs.fields.status else [], definition)
        yield from _forms(rows, definition)
    for key, mark in (
        ("accept.done", definition.accept.done),
        ("accept.taken", definition.accept.taken),
        ("reject.done", definition.reject.done),
        ("reject.taken", definition.reject.taken),
    ):
        clicked = f"it is on {path} although nothing was clicked"
        yield page.none(key, mark, wrong=clicked, right="shown only after a click; nothing is clicked here")


def _results_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    results = definition.results
    yield page.one("results.table", results.table)
    rows = page.rows(results.row)
    yield Finding(
        key="results.row",
        value=results.row,
        state=State.OK if rows else State.WAITING,
        count=len(rows),
        text=first_text(rows),
        remark="" if rows else "no results yet: come back to see the fields tried",
    )
    if rows:
        yield from _fields("results.fields", rows, results.fields)
        yield from _words(page.texts(results.row, results.fields.status), definition)


def _fields(key: str, rows: Sequence[LexborNode], wanted: JobFields | ResultFields) -> Iterator[Finding]:
    needed = {"ref"} if isinstance(wanted, JobFields) else {"ref", "status"}
    for name in (field.name for field in fields(wanted)):
        selector = str(getattr(wanted, name))
        if not selector:
            yield Finding(key=f"{key}.{name}", value="", state=State.WAITING, remark="the portal has none")
            continue
        found = [node for row in rows if (node := row.css_first(selector)) is not None]
        texts = [text_of(node) for node in found]
        missing, remark = len(rows) - len([text for text in texts if text]), ""
        state = State.OK if found else State.FAILED
        if not found:
            remark = f"none of {len(rows)} rows has it"
        elif name in needed and missing:
            state, remark = (
                State.FAILED,
                f"{missing} of {len(rows)} rows lack it, which a session cannot do without",
            )
        elif missing:
            remark = f"{missing} of {len(rows)} rows show nothing there"
        elif name == "ref" and len(set(texts)) < len(texts):
            state, remark = State.FAILED, "some rows have the same"
        yield Finding(
            key=f"{key}.{name}",
            value=selector,
            state=state,
            count=len(found),
            text=shortened(next((text for text in texts if text), "")),
            remark=remark,
        )


def _words(words: Sequence[str], definition: PortalDefinition) -> Iterator[Finding]:
    for word in dict.fromkeys(words):
        meaning = definition.outcome_of(word)
        yield Finding(
            key="outcomes",
            value=shortened(word),
            state=State.FAILED if meaning is None else State.OK,
            count=words.count(word),
            remark="the definition does not say what this status means"
            if meaning is None
            else f"means {meaning}",
        )


def _forms(rows: Sequence[LexborNode], definition: PortalDefinition) -> Iterator[Finding]:
    jobs, reject = definition.jobs, definition.reject
    open_rows = [row for row in rows if definition.status_of(cell(row, jobs.fields.status)) is Outcome.OPEN]
    for key, selector in (("accept.form", definition.accept.form), ("reject.form", reject.form)):
        found = [node for row in open_rows if (node := row.css_first(selector)) is not None]
        lacking = len(open_rows) - len(found)
        if not open_rows:
            state, remark = State.WAITING, "no job is open just now"
        elif lacking:
            state, remark = State.FAILED, f"{lacking} of {len(open_rows)} open jobs lack it"
        else:
            state, remark = State.OK, ""
        yield Finding(
            key=key, value=selector, state=state, count=len(found), text=first_text(found), remark=remark
        )
        if found and key == "reject.form":
            named = [
                node for node in found[0].css("[name]") if node.attributes.get("name") == reject.reason_field
            ]
            yield Finding(
                key="reject.reason_field",
                value=reject.reason_field,
                state=State.OK if named else State.FAILED,
                count=len(named),
                remark="" if named else f"{selector} has no such field",
            )
