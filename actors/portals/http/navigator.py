"""Fetches pages and submits forms over HTTP, within the portal's throttle and timeouts; follows redirects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlencode

import httpx
import trio
from selectolax.lexbor import LexborHTMLParser

from ..definition.definition import PortalDefinition
from ..errors import OutcomeUnknown, PageChanged, PortalUnavailable, SessionExpired
from ..politeness import PortalThrottle, RequestTicket
from .page import Form, Page

MAX_REDIRECTS: Final = 10


class _SendTracker:
    """Records whether a request began to be sent: a failure after that has an unknown outcome."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, _: Mapping[str, object]) -> None:
        """Receive httpcore's trace events, such as "http11.send_request_headers.started"."""
        if event.endswith(".send_request_headers.started"):
            self.sent = True


class HttpNavigator:
    """Fetches pages and submits forms of one session, with the client's cookies."""

    def __init__(self, definition: PortalDefinition, client: httpx.AsyncClient) -> None:
        self._definition = definition
        self._client = client
        self._throttle = PortalThrottle(definition.base_url, definition.politeness)
        self._latest: tuple[str, str, int, bytes] | None = None
        """Path, URL, status and content of the last response: most checks find an unchanged page."""
        self._latest_page: Page | None = None

    async def sign_in(self, form: Form) -> Page:
        """Submit one of the login forms."""
        page, _ = await self._send(self._request(form), self._definition.login.path)
        return page

    async def read(self, path: str, mark: str, query: Mapping[str, str]) -> Page:
        """Fetch a page that requires a login and shows `mark`."""
        page, response = await self.get(self._definition.url(path), path, query)
        if self.is_signed_out(path, response):
            raise SessionExpired
        if not page.has(mark):
            raise PageChanged(path, mark)
        return page

    async def get(
        self, url: str, path: str, query: Mapping[str, str] | None = None, *, same_host: bool = False
    ) -> tuple[Page, httpx.Response]:
        """Fetch a page. With ``same_host``, a redirect to another host raises `ForeignAddress`."""
        return await self._send(
            self._client.build_request("GET", url, params=query or None), path, same_host=same_host
        )

    async def _send(
        self, request: httpx.Request, path: str, *, same_host: bool = False
    ) -> tuple[Page, httpx.Response]:
        """Send a throttled request; return the page that it leads to."""
        async with self._throttle.acquire() as ticket:
            try:
                with trio.fail_after(self._definition.timeout_seconds):
                    first = await self._client.send(request)
                    response = await self._follow(first, ticket, same_host=same_host)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                raise PortalUnavailable(_reason(error)) from error
            page = self._page(path, response)
            _raise_if_unavailable(page)
            return page, response

    async def _follow(
        self, response: httpx.Response, ticket: RequestTicket, *, same_host: bool = False
    ) -> httpx.Response:
        while response.next_request is not None and ticket.redirects < MAX_REDIRECTS:
            if same_host:
                self._definition.resolve_url(str(response.next_request.url))
            ticket.redirects += 1
            response = await self._client.send(response.next_request)
        return response

    def is_signed_out(self, path: str, response: httpx.Response) -> bool:
        """Return whether a response is the login page or redirects to it."""
        leads_to = response.url if response.next_request is None else response.next_request.url
        expired = self._definition.expired
        return (
            self._definition.is_login_url(str(leads_to))
            or response.status_code in expired.statuses
            or self._page(path, response).has(expired.mark)
        )

    def _page(self, path: str, response: httpx.Response) -> Page:
        """Parse a response; an unchanged response returns the page parsed before."""
        latest = (path, str(response.url), response.status_code, response.content)
        if self._latest_page is None or latest != self._latest:
            _, url, status, _ = self._latest = latest
            self._latest_page = Page(path=path, url=url, status=status, tree=LexborHTMLParser(response.text))
        return self._latest_page

    def _request(self, form: Form, *, trace: _SendTracker | None = None) -> httpx.Request:
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

    async def submit(self, ref: str, form: Form, *, before_send: Callable[[], None]) -> Page:
        """Submit a form that decides a job; return the page that it leads to.

        Follows redirects itself instead of leaving them to httpx: only the first response can show that
        nothing was changed, and any failure after it means an unknown outcome. ``before_send`` is called once
        the throttle admits the request, just before it is sent.
        """
        tracker = _SendTracker()
        request = self._request(form, trace=tracker)
        async with self._throttle.acquire() as ticket:
            before_send()
            try:
                with trio.fail_after(self._definition.timeout_seconds):
                    first = await self._client.send(request)
                    failed = first.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
                    if not failed and self.is_signed_out(self._definition.jobs.path, first):
                        raise SessionExpired
                    response = await self._follow(first, ticket)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                if tracker.sent:
                    raise OutcomeUnknown(ref, _reason(error)) from error
                raise PortalUnavailable(_reason(error)) from error
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OutcomeUnknown(ref, f"the portal answered {response.status_code}")
            return self._page(self._definition.jobs.path, response)


def _raise_if_unavailable(page: Page) -> None:
    """Raise `PortalUnavailable` for a 429 or 5xx response."""
    if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR or page.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise PortalUnavailable(f"{page.path} answered {page.status}")


def _reason(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
