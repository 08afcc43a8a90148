"""The http engine: a form-driven portal worked without a browser, some fifty times faster than with one.

Pages are fetched with httpx and read with selectolax; forms are sent as a browser would send them, hidden
fields and all. Scripts are not run, so a portal that needs them is for the browser engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
from selectolax.lexbor import LexborNode

from ..cookies import fill_jar, from_jar
from ..definition.credentials import code_of
from ..definition.definition import AcceptForm, PortalDefinition, RejectForm
from ..errors import (
    CannotScreenshot,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    SessionExpired,
    UnknownStatus,
)
from ..job import Job
from ..login_store import SavedLogin
from ..portal import Credentials, Outcome, RawPage, place
from .client import http_client
from .navigator import HttpNavigator
from .page import Page, cell, job_in, text_of

USER_AGENT = "botvisor"

KEEPALIVE_SECONDS = 2.0
"""Shorter than any server's: a click into a connection that is just being closed has an unknown outcome."""


@asynccontextmanager
async def open_http_portal(
    definition: PortalDefinition, credentials: Credentials, saved: SavedLogin | None = None
) -> AsyncGenerator[HttpPortal, None]:
    """Open one session's view of a portal; it has its own cookies, and closes its connections at the end.

    With ``saved``, the log-in is kept for a later life, and that of an earlier one taken up.
    """
    limits = httpx.Limits(max_connections=2, keepalive_expiry=KEEPALIVE_SECONDS)
    async with http_client(USER_AGENT, limits) as client:
        yield HttpPortal(definition, credentials, client, saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of the job table, and the page that it is on."""

    page: Page
    node: LexborNode
    status: str
    outcome: Outcome | None
    """What its status means; None where the definition does not say."""


class HttpPortal:
    """A `Portal` over plain HTTP; made by `open_http_portal`."""

    def __init__(
        self,
        definition: PortalDefinition,
        credentials: Credentials,
        client: httpx.AsyncClient,
        saved: SavedLogin | None = None,
    ) -> None:
        self._definition = definition
        self._credentials = credentials
        self._client = client
        self._saved = saved
        self._saved_is_tried = saved is None
        self._visitor = HttpNavigator(definition, client)
        # Of the last page that showed the table. Some portals renew their tokens with each answer, so rows
        # of different pages are never mixed.
        self._rows: dict[str, _Row] = {}
        self._table: Page | None = None
        """The page that the rows are of."""

    async def login(self) -> None:
        """See `Portal.login`."""
        if not self._saved_is_tried and await self._resume():
            return
        login = self._definition.login
        self._client.cookies.clear()
        self._forget_table()
        values = {
            login.username_field: self._credentials.username,
            login.password_field: self._credentials.password,
        }
        if login.totp_field and not login.totp_form and self._credentials.totp_secret:
            values[login.totp_field] = code_of(self._credentials)
        page, _ = await self._visitor.get(self._definition.url(login.path), login.path)
        answer = await self._visitor.sign_in(page.form(login.form).filled(values))
        if login.totp_form and answer.has(login.totp_form) and not answer.has(login.failure):
            code = {login.totp_field: code_of(self._credentials)}
            answer = await self._visitor.sign_in(answer.form(login.totp_form).filled(code))
        if answer.has(login.failure):
            raise LoginRefused(answer.text(login.failure))
        if not answer.has(login.success):
            raise PageChanged(login.path, login.success)
        if self._saved is not None:
            await self._saved.save(from_jar(self._client.cookies.jar))

    async def _resume(self) -> bool:
        """Take up the log-in that is on file; tell whether the portal still knows it."""
        assert self._saved is not None
        cookies = await self._saved.load()
        fill_jar(self._client.cookies.jar, cookies)
        try:
            if cookies:
                await self._read_table()
        except (SessionExpired, PageChanged):
            cookies = ()
        # Not while the portal is away: that says nothing about the log-in.
        self._saved_is_tried = True
        return bool(cookies)

    async def jobs(self) -> list[Job]:
        """See `Portal.jobs`."""
        await self._read_table()
        fields = self._definition.jobs.fields
        return [job_in(row.node, fields) for row in self._rows.values() if row.outcome is Outcome.OPEN]

    async def accept(self, ref: str) -> None:
        """See `Portal.accept`."""
        await self._decide(ref, self._definition.accept, Outcome.ACCEPTED, {})

    async def reject(self, ref: str, reason: str) -> None:
        """See `Portal.reject`."""
        form = self._definition.reject
        await self._decide(ref, form, Outcome.REJECTED, {form.reason_field: reason})

    async def outcome(self, ref: str) -> Outcome:
        """See `Portal.outcome`."""
        await self._read_table()
        row = self._rows.get(ref)
        results = self._definition.results
        page = await self._visitor.read(
            results.path, results.table, {results.lookup: ref} if results.lookup else {}
        )
        for node in page.tree.css(results.row):
            if text_of(node.css_first(results.fields.ref)) == ref:
                return self._definition.result_of(text_of(node.css_first(results.fields.status)))
        if row is None:
            return Outcome.UNKNOWN
        if row.outcome is None:
            raise UnknownStatus(row.page.path, self._definition.jobs.fields.status, row.status)
        return row.outcome

    async def read(self, path: str) -> RawPage:
        """Return a page as it is, for whoever checks a definition against it."""
        page, response = await self._visitor.get(self._definition.url(path), path)
        return RawPage(address=page.url, status=page.status, html=response.text)

    async def navigate(self, path: str) -> str:
        """See `Portal.navigate`."""
        url = self._definition.own_url(path)
        page, response = await self._visitor.get(url, path, own_host=True)
        if not self._definition.is_login(url) and self._visitor.is_signed_out(path, response):
            raise SessionExpired
        return place(page.text("title"), page.url)

    async def screenshot(self) -> bytes:
        """See `Portal.screenshot`."""
        raise CannotScreenshot

    async def _decide(
        self, ref: str, form: AcceptForm | RejectForm, wanted: Outcome, values: Mapping[str, str]
    ) -> None:
        if ref not in self._rows:
            await self._read_table()
        row = self._rows.get(ref)
        is_now = await self.outcome(ref) if row is None else row.outcome
        if is_now is wanted:
            return
        if row is None or is_now is not Outcome.OPEN:
            raise JobTaken(ref)
        answer = await self._visitor.click(
            ref, row.page.form(form.form, row.node).filled(values), leaving=self._forget_table
        )
        with suppress(PageChanged):  # that would say that nothing was done; the next reading will tell
            self._remember(answer)
        if answer.has(form.done):
            return
        if answer.has(form.taken):
            raise JobTaken(ref)
        raise OutcomeUnknown(ref, f"the answer, {answer.status}, shows neither {form.done} nor {form.taken}")

    async def _read_table(self) -> None:
        jobs = self._definition.jobs
        self._remember(await self._visitor.read(jobs.path, jobs.table, {}))

    def _remember(self, page: Page) -> None:
        """Keep the rows that a page has; a page without the table leaves nothing to act upon."""
        if page is self._table:
            return
        jobs = self._definition.jobs
        rows: dict[str, _Row] = {}
        for node in page.tree.css(jobs.row):
            ref = cell(node, jobs.fields.ref)
            if not ref:
                raise PageChanged(page.path, jobs.fields.ref)
            status = cell(node, jobs.fields.status)
            outcome = self._definition.status_of(status)
            rows[ref] = _Row(page=page, node=node, status=status, outcome=outcome)
        self._rows, self._table = rows, page

    def _forget_table(self) -> None:
        # Whatever comes of a click, the table that was read before it is out of date.
        self._rows, self._table = {}, None
