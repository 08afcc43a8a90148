"""Who goes to a portal's pages without a browser: politely, in time, through redirects."""

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


class _Click:
    """Tells whether a request has begun to leave, which is what makes a failure of it unknown."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, _: Mapping[str, object]) -> None:
        """Listen to httpcore's events, "http11.send_request_headers.started" and so on."""
        if event.endswith(".send_request_headers.started"):
            self.sent = True


class HttpNavigator:
    """Fetches one session's pages, and sends its forms, with the client's cookies."""

    def __init__(self, definition: PortalDefinition, client: httpx.AsyncClient) -> None:
        self._definition = definition
        self._client = client
        self._manners = PortalThrottle(definition.base_url, definition.politeness)
        self._latest: tuple[str, str, int, bytes] | None = None
        """What was asked for, and what the last answer was, as bytes: most looks find nothing new."""
        self._latest_page: Page | None = None

    async def sign_in(self, form: Form) -> Page:
        """Send one of the forms that signing in takes."""
        page, _ = await self._send(self._request(form), self._definition.login.path)
        return page

    async def read(self, path: str, mark: str, query: Mapping[str, str]) -> Page:
        """Fetch a page that is for the signed-in only, and that shows `mark`."""
        page, response = await self.get(self._definition.url(path), path, query)
        if self.is_signed_out(path, response):
            raise SessionExpired
        if not page.has(mark):
            raise PageChanged(path, mark)
        return page

    async def get(
        self, url: str, path: str, query: Mapping[str, str] | None = None, *, own_host: bool = False
    ) -> tuple[Page, httpx.Response]:
        """Fetch a page; with ``own_host``, no redirect may leave the portal's host."""
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
        self, response: httpx.Response, visit: RequestTicket, *, own_host: bool = False
    ) -> httpx.Response:
        while response.next_request is not None and visit.redirects < MAX_REDIRECTS:
            if own_host:
                self._definition.own_url(str(response.next_request.url))
            visit.redirects += 1
            response = await self._client.send(response.next_request)
        return response

    def is_signed_out(self, path: str, response: httpx.Response) -> bool:
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

    async def click(self, ref: str, form: Form, *, leaving: Callable[[], None]) -> Page:
        """Send a form that changes something; return the page that it leads to.

        Redirects are followed here and not by httpx: only the first answer tells whether the click was
        refused, and whatever fails after it no longer means that nothing was done. When it is our turn,
        just before anything is sent, ``leaving`` is called.
        """
        click = _Click()
        request = self._request(form, trace=click)
        async with self._manners.visit() as visit:
            leaving()
            try:
                with trio.fail_after(self._definition.timeout_seconds):
                    first = await self._client.send(request)
                    failed = first.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
                    if not failed and self.is_signed_out(self._definition.jobs.path, first):
                        raise SessionExpired
                    response = await self._follow(first, visit)
            except (httpx.HTTPError, trio.TooSlowError) as error:
                if click.sent:
                    raise OutcomeUnknown(ref, _why(error)) from error
                raise PortalUnavailable(_why(error)) from error
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OutcomeUnknown(ref, f"the portal answered {response.status_code}")
            return self._page(self._definition.jobs.path, response)


def _refuse_failure(page: Page) -> None:
    """Raise PortalUnavailable for an answer that says to come back later."""
    if page.status >= HTTPStatus.INTERNAL_SERVER_ERROR or page.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise PortalUnavailable(f"{page.path} answered {page.status}")


def _why(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
