"""The http engine: works on a form-driven portal without a browser, some fifty times faster than with one.

It fetches pages with httpx, parses them with selectolax and submits forms as a browser would, hidden fields
included. It runs no scripts: a portal that needs JavaScript requires the browser engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
from selectolax.lexbor import LexborNode

from ..cookies import fill_jar, from_jar
from ..definition.credentials import current_code
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
from ..login_store import SavedLogin
from ..portal import Credentials, Job, JobOutcome, RawPage, describe_location
from .client import http_client
from .navigator import HttpNavigator
from .page import Page, cell, job_in, text_of

USER_AGENT = "botvisor"

KEEPALIVE_SECONDS = 2.0
"""Shorter than any server's: a request on a connection that the server is closing has an unknown outcome."""


@asynccontextmanager
async def open_http_portal(
    definition: PortalDefinition, credentials: Credentials, saved: SavedLogin | None = None
) -> AsyncGenerator[HttpPortal, None]:
    """Open a portal for one session, with its own cookies; its connections are closed on exit.

    With ``saved``, an earlier login is resumed, and a new one is saved.
    """
    limits = httpx.Limits(max_connections=2, keepalive_expiry=KEEPALIVE_SECONDS)
    async with http_client(USER_AGENT, limits) as client:
        yield HttpPortal(definition, credentials, client, saved)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of the job table, and its page."""

    page: Page
    node: LexborNode
    status: str
    outcome: JobOutcome | None
    """Outcome for its status; None if the definition does not map the status."""


class HttpPortal:
    """A `Portal` over plain HTTP; use `open_http_portal` to create one."""

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
        self._saved_tried = saved is None
        self._navigator = HttpNavigator(definition, client)
        # Rows of the last page that showed the table. Some portals issue new CSRF tokens with each response,
        # so rows of different pages are never mixed.
        self._rows: dict[str, _Row] = {}
        self._table: Page | None = None
        """The page of these rows."""

    async def login(self) -> None:
        """See `Portal.login`."""
        if not self._saved_tried and await self._resume():
            return
        login = self._definition.login
        self._client.cookies.clear()
        self._discard_rows()
        values = {
            login.username_field: self._credentials.username,
            login.password_field: self._credentials.password,
        }
        if login.totp_field and not login.totp_form and self._credentials.totp_secret:
            values[login.totp_field] = current_code(self._credentials)
        page, _ = await self._navigator.get(self._definition.url(login.path), login.path)
        answer = await self._navigator.sign_in(page.form(login.form).filled(values))
        if login.totp_form and answer.has(login.totp_form) and not answer.has(login.failure):
            code = {login.totp_field: current_code(self._credentials)}
            answer = await self._navigator.sign_in(answer.form(login.totp_form).filled(code))
        if answer.has(login.failure):
            raise LoginRefused(answer.text(login.failure))
        if not answer.has(login.success):
            raise PageChanged(login.path, login.success)
        if self._saved is not None:
            await self._saved.save(from_jar(self._client.cookies.jar))

    async def _resume(self) -> bool:
        """Try the saved login; return whether the portal still accepts it."""
        assert self._saved is not None
        cookies = await self._saved.load()
        fill_jar(self._client.cookies.jar, cookies)
        try:
            if cookies:
                await self._read_table()
        except (SessionExpired, PageChanged):
            cookies = ()
        # Not reached when the portal is unavailable, which says nothing about the login.
        self._saved_tried = True
        return bool(cookies)

    async def jobs(self) -> list[Job]:
        """See `Portal.jobs`."""
        await self._read_table()
        fields = self._definition.jobs.fields
        return [job_in(row.node, fields) for row in self._rows.values() if row.outcome is JobOutcome.OPEN]

    async def accept(self, ref: str) -> None:
        """See `Portal.accept`."""
        await self._decide(ref, self._definition.accept, JobOutcome.ACCEPTED, {})

    async def reject(self, ref: str, reason: str) -> None:
        """See `Portal.reject`."""
        form = self._definition.reject
        await self._decide(ref, form, JobOutcome.REJECTED, {form.reason_field: reason})

    async def outcome(self, ref: str) -> JobOutcome:
        """See `Portal.outcome`."""
        await self._read_table()
        row = self._rows.get(ref)
        results = self._definition.results
        page = await self._navigator.read(
            results.path, results.table, {results.lookup: ref} if results.lookup else {}
        )
        for node in page.tree.css(results.row):
            if text_of(node.css_first(results.fields.ref)) == ref:
                return self._definition.result_outcome(text_of(node.css_first(results.fields.status)))
        if row is None:
            return JobOutcome.UNKNOWN
        if row.outcome is None:
            raise UnknownStatus(row.page.path, self._definition.jobs.fields.status, row.status)
        return row.outcome

    async def read(self, path: str) -> RawPage:
        """See `ReadablePortal.read`."""
        page, response = await self._navigator.get(self._definition.url(path), path)
        return RawPage(url=page.url, status=page.status, html=response.text)

    async def navigate(self, path: str) -> str:
        """See `Portal.navigate`."""
        url = self._definition.resolve_url(path)
        page, response = await self._navigator.get(url, path, same_host=True)
        if not self._definition.is_login_url(url) and self._navigator.is_signed_out(path, response):
            raise SessionExpired
        return describe_location(page.text("title"), page.url)

    async def screenshot(self) -> bytes:
        """See `Portal.screenshot`."""
        raise CannotScreenshot

    async def _decide(
        self, ref: str, form: AcceptForm | RejectForm, target: JobOutcome, values: Mapping[str, str]
    ) -> None:
        if ref not in self._rows:
            await self._read_table()
        row = self._rows.get(ref)
        current = await self.outcome(ref) if row is None else row.outcome
        if current is target:
            return
        if row is None or current is not JobOutcome.OPEN:
            raise JobTaken(ref)
        answer = await self._navigator.submit(
            ref, row.page.form(form.form, row.node).filled(values), before_send=self._discard_rows
        )
        with suppress(PageChanged):  # it would mean that nothing was changed; the next read reports it
            self._store_rows(answer)
        if answer.has(form.done):
            return
        if answer.has(form.taken):
            raise JobTaken(ref)
        raise OutcomeUnknown(
            ref, f"the response ({answer.status}) shows neither {form.done} nor {form.taken}"
        )

    async def _read_table(self) -> None:
        jobs = self._definition.jobs
        self._store_rows(await self._navigator.read(jobs.path, jobs.table, {}))

    def _store_rows(self, page: Page) -> None:
        """Store the rows of a page; a page without the table has none."""
        if page is self._table:
            return
        jobs = self._definition.jobs
        rows: dict[str, _Row] = {}
        for node in page.tree.css(jobs.row):
            ref = cell(node, jobs.fields.ref)
            if not ref:
                raise PageChanged(page.path, jobs.fields.ref)
            status = cell(node, jobs.fields.status)
            outcome = self._definition.job_outcome(status)
            rows[ref] = _Row(page=page, node=node, status=status, outcome=outcome)
        self._rows, self._table = rows, page

    def _discard_rows(self) -> None:
        # Whatever the outcome of the decision, the rows read before it are out of date.
        self._rows, self._table = {}, None
