"""Checks a portal definition against the live portal: what each selector matches, and which jobs result.

It logs in and reads the pages that a session reads. It decides no job, so marks that appear only after a
decision stay unchecked; but it reports such a mark that is already there before.
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
from ..portal import JobOutcome, ReadablePortal
from .findings import CheckedPage, Finding, FindingState, Sample, first_text, shortened

SAMPLES: Final = 3
"""Number of rows that are returned as jobs."""


async def check_definition(
    portal: ReadablePortal, definition: PortalDefinition
) -> AsyncGenerator[Finding | Sample, None]:
    """Yield the findings page by page; ends early when a page that the rest depends on fails.

    Raises:
        PortalUnavailable: the portal is not reachable, which says nothing about the definition.
    """
    login, jobs, results = definition.login, definition.jobs, definition.results
    page = CheckedPage("login.path", login.path, await portal.read(login.path))
    for finding in (*page.loaded(), *_login_page(page, definition)):
        yield finding
        if finding.state is FindingState.FAILED:
            return
    try:
        await portal.login()
    except PortalError as error:
        yield Finding(key="credentials", value="", state=FindingState.FAILED, remark=str(error))
        return
    yield Finding(key="credentials", value="", state=FindingState.OK, remark="logged in")

    page = CheckedPage("jobs.path", jobs.path, await portal.read(jobs.path))
    for finding in (*page.loaded(), *_jobs_page(page, definition)):
        yield finding
    for row in page.rows(jobs.row)[:SAMPLES]:
        job = job_in(row, jobs.fields)
        yield Sample(job=job, outcome=definition.job_outcome(job.status))

    refs = page.texts(jobs.row, jobs.fields.ref)
    page = CheckedPage("results.path", results.path, await portal.read(results.path))
    for finding in (*page.loaded(), *_results_page(page, definition)):
        yield finding
    refs = [ref for ref in (*page.texts(results.row, results.fields.ref), *refs) if ref]
    if results.lookup and refs:
        path = f"{results.path}?{quote_plus(results.lookup)}={quote_plus(refs[0])}"
        page = CheckedPage("results.lookup", path, await portal.read(path))
        yield page.present("results.lookup", results.table, f"no element on {path} matches {results.table}")


def _login_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    login = definition.login
    yield page.present("login.form", login.form)
    yield page.field("login.username_field", login.username_field, login.form)
    yield page.field("login.password_field", login.password_field, login.form)
    if login.totp_field and not login.totp_form:
        yield page.field("login.totp_field", login.totp_field, login.form)
    problem = f"it matches on {page.page.path} before login"
    yield page.absent(
        "login.success",
        login.success,
        problem=problem,
        expected="no match before login",
        state=FindingState.OK,
    )
    # A match before login does no harm if it is gone after login, which the login itself shows.
    found = page.page.tree.css(login.failure)
    remark = "it matches before a login was refused" if found else "matches only when a login is refused"
    yield Finding(
        key="login.failure", value=login.failure, state=FindingState.WAITING, count=len(found), remark=remark
    )


def _jobs_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    jobs, path = definition.jobs, page.page.path
    if definition.is_login_url(page.page.url):
        sentence = f"it redirects to {page.page.url} after login"
        yield Finding(key="jobs.path", value=jobs.path, state=FindingState.FAILED, remark=sentence)
        return
    yield page.present("login.success", definition.login.success)
    signed_in = f"it matches on {path} after login"
    yield page.absent(
        "expired.mark",
        definition.expired.mark,
        problem=signed_in,
        expected="no match after login",
        state=FindingState.OK,
    )
    yield page.present("jobs.table", jobs.table)
    rows = page.rows(jobs.row)
    empty = "no jobs at the moment: repeat the check later to test the fields"
    yield Finding(
        key="jobs.row",
        value=jobs.row,
        state=FindingState.OK if rows else FindingState.WAITING,
        count=len(rows),
        text=first_text(rows),
        remark="" if rows else empty,
    )
    if rows:
        yield from _fields("jobs.fields", rows, jobs.fields)
        yield from _statuses(
            page.texts(jobs.row, jobs.fields.status) if jobs.fields.status else [], definition
        )
        yield from _forms(rows, definition)
    for key, mark in (
        ("accept.done", definition.accept.done),
        ("accept.taken", definition.accept.taken),
        ("reject.done", definition.reject.done),
        ("reject.taken", definition.reject.taken),
    ):
        problem = f"it matches on {path} before any decision"
        yield page.absent(
            key, mark, problem=problem, expected="matches only after a decision; this check makes none"
        )


def _results_page(page: CheckedPage, definition: PortalDefinition) -> Iterator[Finding]:
    results = definition.results
    yield page.present("results.table", results.table)
    rows = page.rows(results.row)
    yield Finding(
        key="results.row",
        value=results.row,
        state=FindingState.OK if rows else FindingState.WAITING,
        count=len(rows),
        text=first_text(rows),
        remark="" if rows else "no results yet: repeat the check later to test the fields",
    )
    if rows:
        yield from _fields("results.fields", rows, results.fields)
        yield from _statuses(page.texts(results.row, results.fields.status), definition)


def _fields(key: str, rows: Sequence[LexborNode], section: JobFields | ResultFields) -> Iterator[Finding]:
    needed = {"ref"} if isinstance(section, JobFields) else {"ref", "status"}
    for name in (field.name for field in fields(section)):
        selector = str(getattr(section, name))
        if not selector:
            yield Finding(
                key=f"{key}.{name}", value="", state=FindingState.WAITING, remark="not in the definition"
            )
            continue
        found = [node for row in rows if (node := row.css_first(selector)) is not None]
        texts = [text_of(node) for node in found]
        missing, remark = len(rows) - len([text for text in texts if text]), ""
        state = FindingState.OK if found else FindingState.FAILED
        if not found:
            remark = f"no match in {len(rows)} rows"
        elif name in needed and missing:
            state, remark = (
                FindingState.FAILED,
                f"empty in {missing} of {len(rows)} rows, but a session needs it",
            )
        elif missing:
            remark = f"empty in {missing} of {len(rows)} rows"
        elif name == "ref" and len(set(texts)) < len(texts):
            state, remark = FindingState.FAILED, "some rows have the same value"
        yield Finding(
            key=f"{key}.{name}",
            value=selector,
            state=state,
            count=len(found),
            text=shortened(next((text for text in texts if text), "")),
            remark=remark,
        )


def _statuses(words: Sequence[str], definition: PortalDefinition) -> Iterator[Finding]:
    for word in dict.fromkeys(words):
        meaning = definition.outcome_of(word)
        yield Finding(
            key="outcomes",
            value=shortened(word),
            state=FindingState.FAILED if meaning is None else FindingState.OK,
            count=words.count(word),
            remark="missing from [outcomes]" if meaning is None else f"means {meaning}",
        )


def _forms(rows: Sequence[LexborNode], definition: PortalDefinition) -> Iterator[Finding]:
    jobs, reject = definition.jobs, definition.reject
    open_rows = [
        row for row in rows if definition.job_outcome(cell(row, jobs.fields.status)) is JobOutcome.OPEN
    ]
    for key, selector in (("accept.form", definition.accept.form), ("reject.form", reject.form)):
        found = [node for row in open_rows if (node := row.css_first(selector)) is not None]
        lacking = len(open_rows) - len(found)
        if not open_rows:
            state, remark = FindingState.WAITING, "no open job at the moment"
        elif lacking:
            state, remark = FindingState.FAILED, f"no match in {lacking} of {len(open_rows)} open jobs"
        else:
            state, remark = FindingState.OK, ""
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
                state=FindingState.OK if named else FindingState.FAILED,
                count=len(named),
                remark="" if named else f"{selector} has no such field",
            )
