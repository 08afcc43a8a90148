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
from urllib.parse import urlencode, urlsplit

import httpx
import trio
from selectolax.lexbor import LexborHTMLParser, LexborNode

from .definition import AcceptForm, PortalDefinition, RejectForm
from .errors import JobTaken, LoginRefused, OutcomeUnknown, PageChanged, PortalUnavailable, SessionExpired
from .job import Job
from .page import Form, Page, text_of
from .portal import Credentials, Outcome

USER_AGENT = "botvisor"
MAX_REDIRECTS = 10

KEEPALIVE_SECONDS = 2.0
"""Shorter than any server's: a click into a connection that is just being closed has an unknown outcome."""

# A proxy from the environment is for the world outside, never for a portal on this machine.
LOOPBACK: dict[str, None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}


@asynccontextmanager
async def open_http_portal(
    definition: PortalDefinition, credentials: Credentials
) -> AsyncGenerator[HttpPortal, None]:
    """Open one session's view of a portal; it has its own cookies, and closes its connections at the end."""
    async with httpx.AsyncClient(
        verify=_tls(),
        mounts=LOOPBACK,
        limits=httpx.Limits(max_connections=2, keepalive_expiry=KEEPALIVE_SECONDS),
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": USER_AGENT},
        timeout=None,  # a limit for the whole page is set around each; httpx's start afresh with every piece
    ) as client:
        yield HttpPortal(definition, credentials, client)


@cache
def _tls() -> ssl.SSLContext:
    """Share one context among all sessions: each takes long to make and holds every root certificate."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of the job table, and the page that it is on."""

    page: Page
    node: LexborNode
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
        self, definition: PortalDefinition, credentials: Credentials, client: httpx.AsyncClient
    ) -> None:
        self._definition = definition
        self._credentials = credentials
        self._client = client
        # Of the last page that showed the table. Some portals renew their tokens with each answer, so rows
        # of different pages are never mixed.
        self._rows: dict[str, _Row] = {}

    async def login(self) -> None:
        """See `Portal.login`."""
        login = self._definition.login
        self._client.cookies.clear()
        self._rows = {}
        page = await self._fetch(login.path)
        form = page.form(login.form).filled(
            {
                login.username_field: self._credentials.username,
                login.password_field: self._credentials.password,
            }
        )
        try:
            with trio.fail_after(self._definition.timeout_seconds):
                answer = _page(
                    login.path, await self._client.send(self._request(form), follow_redirects=True)
                )
        except (httpx.HTTPError, trio.TooSlowError) as error:
            raise PortalUnavailable(_why(error)) from error
        _refuse_failure(answer)
        if answer.has(login.failure):
            raise LoginRefused(answer.text(login.failure))
        if not answer.has(login.success):
            raise PageChanged(login.path, login.success)

    async def jobs(self) -> list[Job]:
        """See `Portal.jobs`."""
        await self._read_table()
        return [self._job(ref, row) for ref, row in self._rows.items() if row.outcome is Outcome.OPEN]

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
            raise PageChanged(row.page.path, f"status {self._job(ref, row).status!r}")
        return row.outcome

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
        # Whatever comes of this, the table that was read before it is out of date.
        self._rows = {}
        try:
            with trio.fail_after(self._definition.timeout_seconds):
                first = response = await self._client.send(request)
                if first.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and self._is_signed_out(first):
                    raise SessionExpired
                for _ in range(MAX_REDIRECTS):
                    if response.next_request is None:
                        break
                    response = await self._client.send(response.next_request)
        except (httpx.HTTPError, trio.TooSlowError) as error:
            if click.sent:
                raise OutcomeUnknown(ref, _why(error)) from error
            raise PortalUnavailable(_why(error)) from error
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OutcomeUnknown(ref, f"the portal answered {response.status_code}")
        return _page(self._definition.jobs.path, response)

    async def _read_table(self) -> None:
        jobs = self._definition.jobs
        self._remember(await self._read(jobs.path, jobs.table, {}))

    def _remember(self, page: Page) -> None:
        """Keep the rows that a page has; a page without the table leaves nothing to act upon."""
        jobs = self._definition.jobs
        rows: dict[str, _Row] = {}
        for node in page.tree.css(jobs.row):
            ref = text_of(node.css_first(jobs.fields.ref))
            if not ref:
                raise PageChanged(page.path, jobs.fields.ref)
            outcome = self._definition.outcome_of(text_of(node.css_first(jobs.fields.status)))
            rows[ref] = _Row(page=page, node=node, outcome=outcome)
        self._rows = rows

    def _job(self, ref: str, row: _Row) -> Job:
        fields = self._definition.jobs.fields
        return Job(
            ref=ref,
            submitted=text_of(row.node.css_first(fields.submitted)),
            appt_date=text_of(row.node.css_first(fields.appt_date)),
            appt_time=text_of(row.node.css_first(fields.appt_time)),
            duration=text_of(row.node.css_first(fields.duration)),
            language=text_of(row.node.css_first(fields.language)),
            job_type=text_of(row.node.css_first(fields.job_type)),
            status=text_of(row.node.css_first(fields.status)),
        )

    async def _read(self, path: str, mark: str, query: Mapping[str, str]) -> Page:
        """Fetch a page that is for the signed-in only, and that shows `mark`."""
        page = await self._fetch(path, query, signed_in=True)
        if not page.has(mark):
            raise PageChanged(path, mark)
        return page

    async def _fetch(
        self, path: str, query: Mapping[str, str] | None = None, *, signed_in: bool = False
    ) -> Page:
        try:
            with trio.fail_after(self._definition.timeout_seconds):
                response = await self._client.get(
                    self._definition.url(path), params=query or None, follow_redirects=True
                )
        except (httpx.HTTPError, trio.TooSlowError) as error:
            raise PortalUnavailable(_why(error)) from error
        page = _page(path, response)
        _refuse_failure(page)
        if signed_in and self._is_signed_out(response):
            raise SessionExpired
        return page

    def _is_signed_out(self, response: httpx.Response) -> bool:
        """Tell whether an answer is the login page, or leads there."""
        leads_to = response.url if response.next_request is None else response.next_request.url
        login = urlsplit(self._definition.url(self._definition.login.path)).path
        return leads_to.path == login or _page("", response).has(self._definition.expired.mark)

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


def _page(path: str, response: httpx.Response) -> Page:
    return Page(
        path=path, url=str(response.url), status=response.status_code, tree=LexborHTMLParser(response.text)
    )


def _refuse_failure(page: Page) -> None:
    """Raise PortalUnavailable for an answer that says to come back later."""
    if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR or page.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise PortalUnavailable(f"{page.path} answered {page.status}")


def _why(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
