"""The http engine: a form-driven portal worked without a browser, some fifty times faster than with one.

Pages are fetched with httpx and read with selectolax; forms are sent as a browser would send them, hidden
fields and all. Scripts are not run, so a portal that needs them is for the browser engine.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlencode

import httpx
import trio
from selectolax.lexbor import LexborHTMLParser, LexborNode

from .cookies import fill_jar, from_jar
from .credentials import code_of
from .definition import AcceptForm, PortalDefinition, RejectForm
from .errors import (
    CannotScreenshot,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
)
from .job import Job
from .login_store import SavedLogin
from .page import Form, Page, cell, job_in, text_of
from .politeness import Manners, Visit
from .portal import Credentials, Outcome, place
from .sheet import Sheet

USER_AGENT = "botvisor"
MAX_REDIRECTS = 10

KEEPALIVE_SECONDS = 2.0
"""Shorter than any server's: a click into a connection that is just being closed has an unknown outcome."""

# A proxy from the environment is for the world outside, never for a portal on this machine.
LOOPBACK: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}


@asynccontextmanager
async def open_http_portal(
    definition: PortalDefinition, credentials: Credentials, saved: SavedLogin | None = None
) -> AsyncGenerator[HttpPortal, None]:
    """Open one session's view of a portal; it has its own cookies, and closes its connections at the end.

    With ``saved``, the log-in is kept for a later life, and that of an earlier one taken up.
    """
    async with httpx.AsyncClient(
        verify=_tls(),
        mounts=LOOPBACK,
        limits=httpx.Limits(max_connections=2, keepalive_expiry=KEEPALIVE_SECONDS),
        headers={"User-Agent": USER_AGENT},
        timeout=None,  # a limit for the whole page is set around each; httpx's start afresh with every piece
    ) as client:
        yield HttpPortal(definition, credentials, client, saved)


@cache
def _tls() -> ssl.SSLContext:
    """Share one context among all sessions: each takes long to make and holds every root certificate."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of the job table, and the page that it is on."""

    page: Page
    node: LexborNode
    status: str
    outcome: Outcome | None
    """What its status means; None where the definition does not say."""


class _Click:
    """Tells whether a request has begun to leave, which is what makes a failure of it unknown."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, _: Mapping[str, object]) -> None:
        """Listen to httpcore's events, "http11.send_request_headers.started" and so on."""
        if event.endswith(".send_request_headers.started"):
            self.sent = True


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
        self._manners = Manners(definition.base_url, definition.politeness)
        # Of the last page that showed the table. Some portals renew their tokens with each answer, so rows
        # of different pages are never mixed.
        self._rows: dict[str, _Row] = {}
        self._table: Page | None = None
        """The page that the rows are of."""
        self._latest: tuple[str, str, int, bytes] | None = None
        """What was asked for, and what the last answer was, as bytes: most looks find nothing new."""
        self._latest_page: Page | None = None

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
        page, _ = await self._get(self._definition.url(login.path), login.path)
        answer = await self._sign_in(page.form(login.form).filled(values))
        if login.totp_form and answer.has(login.totp_form) and not answer.has(login.failure):
            code = {login.totp_field: code_of(self._credentials)}
            answer = await self._sign_in(answer.form(login.totp_form).filled(code))
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

    async def _sign_in(self, form: Form) -> Page:
        """Send one of the forms that signing in takes."""
        page, _ = await self._send(self._request(form), self._definition.login.path)
        return page

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
        page = await self._read(results.path, results.table, {results.lookup: ref} if results.lookup else {})
        for node in page.tree.css(results.row):
            if text_of(node.css_first(results.fields.ref)) == ref:
                return self._definition.result_of(text_of(node.css_first(results.fields.status)))
        if row is None:
            return Outcome.UNKNOWN
        if row.outcome is None:
            raise PageChanged(row.page.path, f"status {row.status!r}")
        return row.outcome

    async def read(self, path: str) -> Sheet:
        """Return a page as it is, for whoever checks a definition against it."""
        page, response = await self._get(self._definition.url(path), path)
        return Sheet(address=page.url, status=page.status, html=response.text)

    async def navigate(self, path: str) -> str:
        """See `Portal.navigate`."""
        url = self._definition.own_url(path)
        page, response = await self._get(url, path, own_host=True)
        if not self._definition.is_login(url) and self._is_signed_out(path, response):
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
        answer = await self._click(ref, row.page.form(form.form, row.node).filled(values))
        with suppress(PageChanged):  # that would say that nothing was done; the next reading will tell
            self._remember(answer)
        if answer.has(form.done):
            return
        if answer.has(form.taken):
            raise JobTaken(ref)
        raise OutcomeUnknown(ref, f"the answer, {answer.status}, shows neither {form.done} nor {form.taken}")

    async def _click(self, ref: str, form: Form) -> Page:
        """Send a form that changes something; return the page that it leads to.

        Redirects are followed here and not by httpx: only the first answer tells whether the click was
        refused, and whatever fails after it no longer means that nothing was done.
        """
        click = _Click()
        request = self._request(form, trace=click)
        async with self._manners.visit() as visit:
            # Whatever comes of this, the table that was read before it is out of date.
            self._forget_table()
            try:
                with trio.fail_after(self._definition.timeout_seconds):
                    first = await self._client.send(request)
                    failed = first.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
                    if not failed and self._is_signed_out(self._definition.jobs.path, first):
                        raise SessionExpired
                    response = await self._follow(first, visit)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                if click.sent:
                    raise OutcomeUnknown(ref, _why(error)) from error
                raise PortalUnavailable(_why(error)) from error
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OutcomeUnknown(ref, f"the portal answered {response.status_code}")
            return self._page(self._definition.jobs.path, response)

    async def _read_table(self) -> None:
        jobs = self._definition.jobs
        self._remember(await self._read(jobs.path, jobs.table, {}))

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
        self._rows, self._table = {}, None

    async def _read(self, path: str, mark: str, query: Mapping[str, str]) -> Page:
        """Fetch a page that is for the signed-in only, and that shows `mark`."""
        page, response = await self._get(self._definition.url(path), path, query)
        if self._is_signed_out(path, response):
            raise SessionExpired
        if not page.has(mark):
            raise PageChanged(path, mark)
        return page

    async def _get(
        self, url: str, path: str, query: Mapping[str, str] | None = None, *, own_host: bool = False
    ) -> tuple[Page, httpx.Response]:
        return await self._send(
            self._client.build_request("GET", url, params=query or None), path, own_host=own_host
        )

    async def _send(
        self, request: httpx.Request, path: str, *, own_host: bool = False
    ) -> tuple[Page, httpx.Response]:
        """Ask for a page when that is polite; return the one that it leads to."""
        async with self._manners.visit() as visit:
            try:
                with trio.fail_after(self._definition.timeout_seconds):
                    first = await self._client.send(request)
                    response = await self._follow(first, visit, own_host=own_host)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                raise PortalUnavailable(_why(error)) from error
            page = self._page(path, response)
            _refuse_failure(page)
            return page, response

    async def _follow(
        self, response: httpx.Response, visit: Visit, *, own_host: bool = False
    ) -> httpx.Response:
        while response.next_request is not None and visit.redirects < MAX_REDIRECTS:
            if own_host:
                self._definition.own_url(str(response.next_request.url))
            visit.redirects += 1
            response = await self._client.send(response.next_request)
        return response

    def _is_signed_out(self, path: str, response: httpx.Response) -> bool:
        """Tell whether an answer is the login page, or leads there."""
        leads_to = response.url if response.next_request is None else response.next_request.url
        expired = self._definition.expired
        return (
            self._definition.is_login(str(leads_to))
            or response.status_code in expired.statuses
            or self._page(path, response).has(expired.mark)
        )

    def _page(self, path: str, response: httpx.Response) -> Page:
        """Parse an answer, unless it says the same as the last one."""
        latest = (path, str(response.url), response.status_code, response.content)
        if self._latest_page is None or latest != self._latest:
            _, url, status, _ = self._latest = latest
            self._latest_page = Page(path=path, url=url, status=status, tree=LexborHTMLParser(response.text))
        return self._latest_page

    def _request(self, form: Form, *, trace: _Click | None = None) -> httpx.Request:
        method: Literal["GET", "POST"] = "POST" if form.method == "POST" else "GET"
        extensions = {} if trace is None else {"trace": trace.trace}
        if method == "GET":
            url = form.url.partition("?")[0] + "?" + urlencode(form.fields)
            return self._client.build_request(method, url, extensions=extensions)
        return self._client.build_request(
            method,
            form.url,
            content=urlencode(form.fields),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            extensions=extensions,
        )


def _refuse_failure(page: Page) -> None:
    """Raise PortalUnavailable for an answer that says to come back later."""
    if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR or page.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise PortalUnavailable(f"{page.path} answered {page.status}")


def _why(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
