"""The browser engine: a portal worked through the pages of the house's one browser.

For portals that are more than plain forms. It sees and presses what a person would; where things are comes
from the portal's definition, the page from `BrowserHost`.
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

from ..definition.credentials import code_of
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
from ..job import Job
from ..login_store import SavedLogin
from ..portal import Credentials, Outcome, RawPage, place
from .browser_host import BrowserQuery
from .navigator import BrowserNavigator, refuse_failure
from .tab import Tab, TabQuery, TabResult

P = ParamSpec("P")
T = TypeVar("T")

Row: TypeAlias = dict[str, str | None]
Rows: TypeAlias = dict[str, Row]
"""Rows of a table in their order, by ref."""


@contextlib.asynccontextmanager
async def open_browser_portal(
    definition: PortalDefinition,
    credentials: Credentials,
    host: Address[BrowserQuery],
    saved: SavedLogin | None = None,
) -> AsyncGenerator[BrowserPortal, None]:
    """Work on a portal through the browser that `host` keeps; its page is closed on the way out.

    With ``saved``, the log-in is kept for a later life, and that of an earlier one taken up.
    """
    portal = BrowserPortal(definition, credentials, host, saved)
    try:
        yield portal
    finally:
        await portal.close()


class BrowserPortal:
    """A `Portal` in a browser; use `open_browser_portal` to make one.

    The page is opened when it is first needed. After a crash of the page it is replaced, and the session at
    the portal lives on; after a crash of the browser the host's next one is taken, and the portal will say
    `SessionExpired`. `login` then takes up what was saved.
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
        self._visitor = BrowserNavigator(definition, host)
        self._saved = saved
        self._resumed: Tab | None = None
        """Where the log-in that is on file was tried."""

    async def close(self) -> None:
        """Give the page back. Never raises, and is over within seconds even when cancelled."""
        await self._visitor.close()

    async def login(self) -> None:
        """See `Portal.login`."""
        page = self._definition.login
        values = {
            page.username_field: self._credentials.username,
            page.password_field: self._credentials.password,
        }
        if page.totp_field and not page.totp_form and self._credentials.totp_secret:
            values[page.totp_field] = code_of(self._credentials)
        async with self._visitor.turn() as tab:
            if await self._resume(tab):
                return
            await self._visitor.call(tab.forget)
            blank = TabQuery(marks={"form": page.form})
            await self._visitor.visit(tab, self._definition.url(page.path), page.path, blank)
            shown = await self._sign_in(tab, page.form, values)
            if shown.get("code") is not None and shown["failure"] is None:
                code = {page.totp_field: code_of(self._credentials)}
                shown = await self._sign_in(tab, page.totp_form, code)
            if shown["failure"] is not None:
                raise LoginRefused(shown["failure"])
            if shown["success"] is None:
                raise PageChanged(page.path, page.success)
            if self._saved is not None:
                await self._saved.save(await self._visitor.call(tab.cookies))

    async def _resume(self, tab: Tab) -> bool:
        """Take up the log-in that is on file, once; tell whether the portal still knows it."""
        if self._saved is None or self._resumed is tab:
            return False
        cookies = await self._saved.load()
        try:
            if cookies:
                await self._visitor.call(tab.restore, cookies)
                await self._read_jobs(tab)
        except (SessionExpired, PageChanged):
            cookies = ()
        # Not while the portal is away: that says nothing about the log-in.
        self._resumed = tab
        return bool(cookies)

    async def _sign_in(self, tab: Tab, selector: str, values: Mapping[str, str]) -> dict[str, str | None]:
        """Fill in and send one of the forms that signing in takes; return what the answer shows."""
        page = self._definition.login
        marks = {"success": page.success, "failure": page.failure}
        if page.totp_form:
            marks["code"] = page.totp_form
        form = tab.form(selector)
        if not await self._visitor.call(tab.fill, form, values):
            raise PageChanged(page.path, selector)
        async with self._visitor.request() as visit:
            answer = await self._visitor.call(tab.submit, form, TabQuery(marks=marks))
            visit.redirects = answer.redirects
            refuse_failure(answer, page.path)
        return answer.content.marks

    async def jobs(self) -> list[Job]:
        """See `Portal.jobs`."""
        async with self._visitor.turn() as tab:
            rows = await self._read_jobs(tab)
        listed = [Job(**{name: text or "" for name, text in row.items()}) for row in rows.values()]
        return [job for job in listed if self._definition.status_of(job.status) is Outcome.OPEN]

    async def accept(self, ref: str) -> None:
        """See `Portal.accept`."""
        await self._decide(ref, self._definition.accept, Outcome.ACCEPTED, {})

    async def reject(self, ref: str, reason: str) -> None:
        """See `Portal.reject`."""
        form = self._definition.reject
        await self._decide(ref, form, Outcome.REJECTED, {form.reason_field: reason})

    async def outcome(self, ref: str) -> Outcome:
        """See `Portal.outcome`."""
        async with self._visitor.turn() as tab:
            return await self._outcome(tab, ref)

    async def navigate(self, path: str) -> str:
        """See `Portal.navigate`."""
        url = self._definition.own_url(path)
        question = TabQuery(marks={"title": "title", "expired": self._definition.expired.mark})
        async with self._visitor.turn() as tab:
            answer = await self._visitor.visit(tab, url, path, question)
        content = answer.content
        self._definition.own_url(content.address)
        if not self._definition.is_login(url) and self._signed_out(answer):
            raise SessionExpired
        return place(content.marks["title"] or "", content.address)

    async def screenshot(self) -> bytes:
        """See `Portal.screenshot`."""
        async with self._visitor.turn() as tab:
            return await self._visitor.call(tab.picture)

    async def read(self, path: str) -> RawPage:
        """Return a page as it is, for whoever checks a definition against it."""
        d = self._definition
        marks = {"form": d.login.form, "table": d.jobs.table, "results": d.results.table}
        async with self._visitor.turn() as tab:
            answer = await self._visitor.visit(tab, d.url(path), path, TabQuery(marks=marks))
            html = await self._visitor.call(tab.html)
        return RawPage(address=answer.content.address, status=answer.status, html=html)

    async def _outcome(self, tab: Tab, ref: str) -> Outcome:
        listed = await self._read_jobs(tab)
        results = self._definition.results
        query = "?" + urlencode({results.lookup: ref}) if results.lookup else ""
        settled = await self._read_rows(
            tab, results.path, query, results.table, results.row, asdict(results.fields)
        )
        if (row := settled.get(ref)) is not None:
            return self._definition.result_of(row["status"] or "")
        if (row := listed.get(ref)) is None:
            return Outcome.UNKNOWN
        meaning = self._definition.status_of(row["status"] or "")
        if meaning is None:
            jobs = self._definition.jobs
            raise UnknownStatus(jobs.path, jobs.fields.status, row["status"] or "")
        return meaning

    async def _decide(
        self, ref: str, form: AcceptForm | RejectForm, wanted: Outcome, values: Mapping[str, str]
    ) -> None:
        jobs = self._definition.jobs
        async with self._visitor.turn() as tab:
            row = (await self._jobs_in_view(tab)).get(ref) or (await self._read_jobs(tab)).get(ref)
            if row is None:
                is_now: Outcome | None = await self._outcome(tab, ref)
            else:
                is_now = self._definition.status_of(row["status"] or "")
            if is_now is wanted:
                return
            if row is None or is_now is not Outcome.OPEN:
                raise JobTaken(ref)
            found = tab.form_in_row(jobs.row, jobs.fields.ref, ref, form.form)
            if not await self._visitor.call(tab.fill, found, values):
                if await self._visitor.call(tab.has, found, values):
                    raise PortalUnavailable(f"the form of job {ref} was not ready in time")
                raise PageChanged(jobs.path, form.form)
            await self._send(tab, ref, found, form)

    async def _send(self, tab: Tab, ref: str, found: Locator, form: AcceptForm | RejectForm) -> None:
        """Press the button; from here on the portal may have heard us, whatever goes wrong."""
        marks = {"done": form.done, "taken": form.taken, "expired": self._definition.expired.mark}
        async with self._visitor.request() as visit:
            try:
                answer = await self._visitor.call(tab.submit, found, TabQuery(marks=marks))
            except PortalUnavailable as error:
                raise OutcomeUnknown(ref, error.reason) from error
            visit.redirects = answer.redirects
            self._understand(ref, answer, form)

    def _understand(self, ref: str, answer: TabResult, form: AcceptForm | RejectForm) -> None:
        # Only the first answer tells whether the click was refused. Sent to the login page any later, it may
        # have been heard before the session ended.
        if (
            answer.redirects == 0
            and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
            and self._signed_out(answer)
        ):
            raise SessionExpired
        if answer.redirects == 1 and self._definition.is_login(answer.content.address):
            raise SessionExpired
        shown = answer.content.marks
        if shown["done"] is not None:
            return
        if shown["taken"] is not None:
            raise JobTaken(ref)
        raise OutcomeUnknown(ref, f"the answer, {answer.status}, shows neither {form.done} nor {form.taken}")

    async def _jobs_in_view(self, tab: Tab) -> Rows:
        """Read the job table if the page shows it already, as after reading or deciding."""
        jobs = self._definition.jobs
        marks = {"table": jobs.table}
        content = await self._visitor.call(
            tab.read, TabQuery(marks=marks, row=jobs.row, fields=asdict(jobs.fields))
        )
        # Whatever is wrong with it may have been mended since: that is for a fresh reading to say.
        return (
            {row["ref"]: row for row in content.rows if row["ref"]}
            if urlsplit(content.address).path == urlsplit(self._definition.url(jobs.path)).path
            else {}
        )

    async def _read_jobs(self, tab: Tab) -> Rows:
        jobs = self._definition.jobs
        return await self._read_rows(tab, jobs.path, "", jobs.table, jobs.row, asdict(jobs.fields))

    async def _read_rows(
        self, tab: Tab, path: str, query: str, table: str, row: str, fields: Mapping[str, str]
    ) -> Rows:
        """Go to a page that is for the signed-in only, and read its table."""
        marks = {"table": table, "expired": self._definition.expired.mark}
        question = TabQuery(marks=marks, row=row, fields=fields)
        answer = await self._visitor.visit(tab, self._definition.url(path) + query, path, question)
        if self._signed_out(answer):
            raise SessionExpired
        if answer.content.marks["table"] is None:
            raise PageChanged(path, table)
        return _by_ref(answer.content.rows, path, fields["ref"])

    def _signed_out(self, answer: TabResult) -> bool:
        return (
            answer.content.marks["expired"] is not None
            or answer.status in self._definition.expired.statuses
            or self._definition.is_login(answer.content.address)
        )


def _by_ref(rows: list[Row], path: str, selector: str) -> Rows:
    named: Rows = {}
    for row in rows:
        ref = row["ref"]
        if not ref:
            raise PageChanged(path, selector)
        named[ref] = row
    return named
