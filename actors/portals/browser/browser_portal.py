"""The browser engine: works on a portal in a page of the shared Chromium.

Use it for portals that need JavaScript. It reads and clicks what a person would; selectors come from the
portal's definition, the page from `BrowserHost`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import ParamSpec, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Locator

from runtime import Address

from ..definition.credentials import current_code
from ..definition.definition import AcceptForm, PortalDefinition, RejectForm
from ..errors import (
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
    UnknownStatus,
)
from ..login_store import SavedLogin
from ..portal import Credentials, Job, JobOutcome, RawPage, describe_location
from .browser_host import BrowserQuery
from .browser_page import BrowserPage, PageResult, PageSelectors
from .navigator import BrowserNavigator, raise_if_unavailable

P = ParamSpec("P")
T = TypeVar("T")

Row: TypeAlias = dict[str, str | None]
Rows: TypeAlias = dict[str, Row]
"""Rows of a table in page order, by ref."""


@contextlib.asynccontextmanager
async def open_browser_portal(
    definition: PortalDefinition,
    credentials: Credentials,
    host: Address[BrowserQuery],
    saved: SavedLogin | None = None,
) -> AsyncGenerator[BrowserPortal, None]:
    """Open a portal in the browser of `host`; its page is closed on exit.

    With ``saved``, an earlier login is resumed, and a new one is saved.
    """
    portal = BrowserPortal(definition, credentials, host, saved)
    try:
        yield portal
    finally:
        await portal.close()


class BrowserPortal:
    """A `Portal` in a browser; use `open_browser_portal` to create one.

    The page is opened on first use. A crashed page is replaced and stays logged in. After a crash of the
    browser, the host's next one is used and calls raise `SessionExpired`; `login` then resumes the saved
    login.
    """

    def __init__(
        self,
        definition: PortalDefinition,
        credentials: Credentials,
        host: Address[BrowserQuery],
        saved: SavedLogin | None = None,
    ) -> None:
        self._definition = definition
        self._credentials = credentials
        self._navigator = BrowserNavigator(definition, host)
        self._saved = saved
        self._resumed_on: BrowserPage | None = None
        """The page on which the saved login was tried."""

    async def close(self) -> None:
        """Close the page. Never raises, and ends within seconds even when cancelled."""
        await self._navigator.close()

    async def login(self) -> None:
        """See `Portal.login`."""
        login = self._definition.login
        values = {
            login.username_field: self._credentials.username,
            login.password_field: self._credentials.password,
        }
        if login.totp_field and not login.totp_form and self._credentials.totp_secret:
            values[login.totp_field] = current_code(self._credentials)
        async with self._navigator.acquire_page() as page:
            if await self._resume(page):
                return
            await self._navigator.call(page.clear_cookies)
            selectors = PageSelectors(marks={"form": login.form})
            await self._navigator.goto(page, self._definition.url(login.path), login.path, selectors)
            shown = await self._sign_in(page, login.form, values)
            if shown.get("code") is not None and shown["failure"] is None:
                code = {login.totp_field: current_code(self._credentials)}
                shown = await self._sign_in(page, login.totp_form, code)
            if shown["failure"] is not None:
                raise LoginRefused(shown["failure"])
            if shown["success"] is None:
                raise PageChanged(login.path, login.success)
            if self._saved is not None:
                await self._saved.save(await self._navigator.call(page.cookies))

    async def _resume(self, page: BrowserPage) -> bool:
        """Try the saved login, once per page; return whether the portal still accepts it."""
        if self._saved is None or self._resumed_on is page:
            return False
        cookies = await self._saved.load()
        try:
            if cookies:
                await self._navigator.call(page.add_cookies, cookies)
                await self._read_jobs(page)
        except (SessionExpired, PageChanged):
            cookies = ()
        # Not reached when the portal is unavailable, which says nothing about the login.
        self._resumed_on = page
        return bool(cookies)

    async def _sign_in(
        self, page: BrowserPage, selector: str, values: Mapping[str, str]
    ) -> dict[str, str | None]:
        """Submit one of the login forms; return the marks on the page that follows."""
        login = self._definition.login
        marks = {"success": login.success, "failure": login.failure}
        if login.totp_form:
            marks["code"] = login.totp_form
        form = page.form(selector)
        if not await self._navigator.call(page.fill, form, values):
            raise PageChanged(login.path, selector)
        async with self._navigator.request() as ticket:
            result = await self._navigator.call(page.submit, form, PageSelectors(marks=marks))
            ticket.redirects = result.redirects
            raise_if_unavailable(result, login.path)
        return result.content.marks

    async def jobs(self) -> list[Job]:
        """See `Portal.jobs`."""
        async with self._navigator.acquire_page() as page:
            rows = await self._read_jobs(page)
        jobs = [Job(**{name: text or "" for name, text in row.items()}) for row in rows.values()]
        return [job for job in jobs if self._definition.job_outcome(job.status) is JobOutcome.OPEN]

    async def accept(self, ref: str) -> None:
        """See `Portal.accept`."""
        await self._decide(ref, self._definition.accept, JobOutcome.ACCEPTED, {})

    async def reject(self, ref: str, reason: str) -> None:
        """See `Portal.reject`."""
        form = self._definition.reject
        await self._decide(ref, form, JobOutcome.REJECTED, {form.reason_field: reason})

    async def outcome(self, ref: str) -> JobOutcome:
        """See `Portal.outcome`."""
        async with self._navigator.acquire_page() as page:
            return await self._outcome(page, ref)

    async def navigate(self, path: str) -> str:
        """See `Portal.navigate`."""
        url = self._definition.resolve_url(path)
        selectors = PageSelectors(marks={"title": "title", "expired": self._definition.expired.mark})
        async with self._navigator.acquire_page() as page:
            result = await self._navigator.goto(page, url, path, selectors)
        content = result.content
        self._definition.resolve_url(content.url)
        if not self._definition.is_login_url(url) and self._signed_out(result):
            raise SessionExpired
        return describe_location(content.marks["title"] or "", content.url)

    async def screenshot(self) -> bytes:
        """See `Portal.screenshot`."""
        async with self._navigator.acquire_page() as page:
            return await self._navigator.call(page.screenshot)

    async def read(self, path: str) -> RawPage:
        """See `ReadablePortal.read`."""
        d = self._definition
        marks = {"form": d.login.form, "table": d.jobs.table, "results": d.results.table}
        async with self._navigator.acquire_page() as page:
            result = await self._navigator.goto(page, d.url(path), path, PageSelectors(marks=marks))
            html = await self._navigator.call(page.html)
        return RawPage(url=result.content.url, status=result.status, html=html)

    async def _outcome(self, page: BrowserPage, ref: str) -> JobOutcome:
        jobs_by_ref = await self._read_jobs(page)
        results = self._definition.results
        query = "?" + urlencode({results.lookup: ref}) if results.lookup else ""
        results_by_ref = await self._read_rows(
            page, results.path, query, results.table, results.row, asdict(results.fields)
        )
        if (row := results_by_ref.get(ref)) is not None:
            return self._definition.result_outcome(row["status"] or "")
        if (row := jobs_by_ref.get(ref)) is None:
            return JobOutcome.UNKNOWN
        meaning = self._definition.job_outcome(row["status"] or "")
        if meaning is None:
            jobs = self._definition.jobs
            raise UnknownStatus(jobs.path, jobs.fields.status, row["status"] or "")
        return meaning

    async def _decide(
        self, ref: str, form: AcceptForm | RejectForm, target: JobOutcome, values: Mapping[str, str]
    ) -> None:
        jobs = self._definition.jobs
        async with self._navigator.acquire_page() as page:
            row = (await self._jobs_on_page(page)).get(ref) or (await self._read_jobs(page)).get(ref)
            if row is None:
                current: JobOutcome | None = await self._outcome(page, ref)
            else:
                current = self._definition.job_outcome(row["status"] or "")
            if current is target:
                return
            if row is None or current is not JobOutcome.OPEN:
                raise JobTaken(ref)
            form_locator = page.form_in_row(jobs.row, jobs.fields.ref, ref, form.form)
            if not await self._navigator.call(page.fill, form_locator, values):
                if await self._navigator.call(page.has, form_locator, values):
                    raise PortalUnavailable(f"the form of job {ref} was not ready in time")
                raise PageChanged(jobs.path, form.form)
            await self._send(page, ref, form_locator, form)

    async def _send(
        self, page: BrowserPage, ref: str, form_locator: Locator, form: AcceptForm | RejectForm
    ) -> None:
        """Click the button. Once clicked, the decision may have been made, whatever fails afterwards."""
        marks = {"done": form.done, "taken": form.taken, "expired": self._definition.expired.mark}
        async with self._navigator.request() as ticket:
            try:
                result = await self._navigator.call(page.submit, form_locator, PageSelectors(marks=marks))
            except PortalUnavailable as error:
                raise OutcomeUnknown(ref, error.reason) from error
            ticket.redirects = result.redirects
            self._interpret(ref, result, form)

    def _interpret(self, ref: str, result: PageResult, form: AcceptForm | RejectForm) -> None:
        # Only the first response shows that the click was refused. A later redirect to the login page may
        # follow a decision that the portal has made.
        if (
            result.redirects == 0
            and result.status < HTTPStatus.INTERNAL_SERVER_ERROR
            and self._signed_out(result)
        ):
            raise SessionExpired
        if result.redirects == 1 and self._definition.is_login_url(result.content.url):
            raise SessionExpired
        shown = result.content.marks
        if shown["done"] is not None:
            return
        if shown["taken"] is not None:
            raise JobTaken(ref)
        raise OutcomeUnknown(
            ref, f"the response ({result.status}) shows neither {form.done} nor {form.taken}"
        )

    async def _jobs_on_page(self, page: BrowserPage) -> Rows:
        """Read the job table if the page already shows it, as it does after reading or deciding."""
        jobs = self._definition.jobs
        marks = {"table": jobs.table}
        content = await self._navigator.call(
            page.read, PageSelectors(marks=marks, row=jobs.row, fields=asdict(jobs.fields))
        )
        # A malformed row is ignored: the page may be out of date, and a fresh read reports what is wrong.
        return (
            {row["ref"]: row for row in content.rows if row["ref"]}
            if urlsplit(content.url).path == urlsplit(self._definition.url(jobs.path)).path
            else {}
        )

    async def _read_jobs(self, page: BrowserPage) -> Rows:
        jobs = self._definition.jobs
        return await self._read_rows(page, jobs.path, "", jobs.table, jobs.row, asdict(jobs.fields))

    async def _read_rows(
        self, page: BrowserPage, path: str, query: str, table: str, row: str, fields: Mapping[str, str]
    ) -> Rows:
        """Load a page that requires a login, and read its table."""
        marks = {"table": table, "expired": self._definition.expired.mark}
        selectors = PageSelectors(marks=marks, row=row, fields=fields)
        result = await self._navigator.goto(page, self._definition.url(path) + query, path, selectors)
        if self._signed_out(result):
            raise SessionExpired
        if result.content.marks["table"] is None:
            raise PageChanged(path, table)
        return _by_ref(result.content.rows, path, fields["ref"])

    def _signed_out(self, result: PageResult) -> bool:
        return (
            result.content.marks["expired"] is not None
            or result.status in self._definition.expired.statuses
            or self._definition.is_login_url(result.content.url)
        )


def _by_ref(rows: list[Row], path: str, selector: str) -> Rows:
    rows_by_ref: Rows = {}
    for row in rows:
        ref = row["ref"]
        if not ref:
            raise PageChanged(path, selector)
        rows_by_ref[ref] = row
    return rows_by_ref
