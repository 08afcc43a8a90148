"""One Playwright page on the asyncio side of the bridge: loads pages, reads them and submits forms.

Each method is one call over the bridge, however many round trips to Chromium it takes. `browser_portal.py`
interprets the results.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.async_api import Dialog, Locator, Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout
from pydantic import TypeAdapter

from ..cookies import Cookie

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam

_SUBMIT = "css=button:not([type]), button[type=submit], input[type=submit], input[type=image]"

# Reads everything in one round trip.
_READ = """
({ marks, row, fields }) => {
    const text = (root, selector) => {
        const found = selector ? root.querySelector(selector) : null;
        return found ? found.textContent.trim().replace(/\\s+/g, " ") : null;
    };
    const texts = (root, selectors) =>
        Object.fromEntries(Object.entries(selectors).map(([name, selector]) => [name, text(root, selector)]));
    return {
        url: location.href,
        marks: texts(document, marks),
        rows: row ? Array.from(document.querySelectorAll(row), (found) => texts(found, fields)) : [],
    };
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSelectors:
    """What to read from a page: CSS selectors by names that the caller chooses."""

    marks: Mapping[str, str]
    """Within the page. If none matches, the page gets some time to show one."""
    row: str = ""
    """Selects the rows of a table; "" reads no rows."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Within each row; "" matches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """Content of a page: the text of each first match, white space normalized; None without a match."""

    url: str
    marks: dict[str, str | None]
    rows: list[dict[str, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResult:
    """The response to loading a page or submitting a form."""

    content: PageContent
    status: int
    redirects: int
    """Number of redirects that were followed."""


_CONTENT = TypeAdapter(PageContent)


class BrowserPage:
    """A Playwright page of one session; used by one task at a time."""

    def __init__(self, page: Page, *, load_seconds: float) -> None:
        self.page = page
        # Scripts may add the elements only some time after the page was loaded.
        self._load_seconds = load_seconds

    async def prepare(self) -> None:
        """Configure the page; call it once."""
        # The caller limits the time of whole methods.
        self.page.set_default_timeout(0)
        self.page.on("dialog", _accept_dialog)

    async def renew(self) -> None:
        """Replace the page by a new one in the same context; cookies are kept."""
        old, self.page = self.page, await self.page.context.new_page()
        await self.prepare()
        await old.close()

    async def goto(self, url: str, selectors: PageSelectors) -> PageResult:
        """Load a URL and read the page."""
        return await self._result(await self.page.goto(url, wait_until="domcontentloaded"), selectors)

    async def read(self, selectors: PageSelectors) -> PageContent:
        """Read the current page."""
        arguments = {"marks": dict(selectors.marks), "row": selectors.row, "fields": dict(selectors.fields)}
        return _CONTENT.validate_python(await self.page.evaluate(_READ, arguments))

    async def screenshot(self) -> bytes:
        """Return the visible part of the page as PNG."""
        return await self.page.screenshot(type="png", animations="disabled")

    async def html(self) -> str:
        """Return the HTML of the current page, as changed by its scripts."""
        return await self.page.content()

    async def cookies(self) -> tuple[Cookie, ...]:
        """Return all cookies of the context."""
        return tuple(
            Cookie(
                name=cookie.get("name", ""),
                value=cookie.get("value", ""),
                domain=cookie.get("domain", ""),
                path=cookie.get("path", "/"),
                expires=None if cookie.get("expires", -1) < 0 else cookie.get("expires"),
                secure=cookie.get("secure", False),
                http_only=cookie.get("httpOnly", False),
                same_site=cookie.get("sameSite"),
            )
            for cookie in await self.page.context.cookies()
        )

    async def add_cookies(self, cookies: tuple[Cookie, ...]) -> None:
        """Add cookies to the context."""
        await self.page.context.add_cookies([_to_playwright(cookie) for cookie in cookies])

    async def clear_cookies(self) -> None:
        """Remove all cookies of the context."""
        await self.page.context.clear_cookies()

    def form(self, selector: str) -> Locator:
        """Return a locator of a form on the page."""
        return self.page.locator(f"css={selector}").first

    def form_in_row(self, row: str, cell: str, text: str, selector: str) -> Locator:
        """Return a locator of a form in the row whose cell has this text.

        It finds the row by text, not by index: a table may reorder its rows at any time.
        """
        words = r"\s+".join(re.escape(word) for word in text.split())
        exactly = re.compile(rf"^\s*{words}\s*$")
        having = self.page.locator(f"css={cell}").filter(has_text=exactly)
        return self.page.locator(f"css={row}").filter(has=having).first.locator(f"css={selector}").first

    async def fill(self, form: Locator, values: Mapping[str, str]) -> bool:
        """Fill in a form and check that its button can be clicked; return whether both succeeded.

        Nothing is submitted yet.
        """
        timeout = self._load_seconds * 1000
        try:
            for name, value in values.items():
                await form.locator(f'css=[name="{_quoted(name)}"]').first.fill(value, timeout=timeout)
            await form.locator(_SUBMIT).first.click(trial=True, timeout=timeout)
        except PlaywrightTimeout:
            return False
        return True

    async def has(self, form: Locator, values: Mapping[str, str]) -> bool:
        """Return whether the form has a button and these fields, enabled or not."""
        parts = [_SUBMIT, *(f'css=[name="{_quoted(name)}"]' for name in values)]
        return all([await form.locator(part).count() for part in parts])

    async def submit(self, form: Locator, selectors: PageSelectors) -> PageResult:
        """Click the form's button and read the page that follows.

        The form may have been submitted, whether this returns, fails or is cancelled.
        """
        async with self.page.expect_navigation(wait_until="domcontentloaded") as navigation:
            await form.locator(_SUBMIT).first.click(no_wait_after=True)
        return await self._result(await navigation.value, selectors)

    async def _result(self, response: Response | None, selectors: PageSelectors) -> PageResult:
        content = await self.read(selectors)
        if response is not None and response.ok and not _any_match(content.marks):
            content = await self._read_when_loaded(selectors)
        redirects = 0
        request = None if response is None else response.request
        while request is not None and (request := request.redirected_from) is not None:
            redirects += 1
        return PageResult(
            content=content, status=200 if response is None else response.status, redirects=redirects
        )

    async def _read_when_loaded(self, selectors: PageSelectors) -> PageContent:
        any_mark = "css=" + ", ".join(selectors.marks.values())
        # On a timeout the caller sees from the content that nothing matched.
        with contextlib.suppress(PlaywrightTimeout):
            await self.page.wait_for_selector(any_mark, state="attached", timeout=self._load_seconds * 1000)
        return await self.read(selectors)


def _any_match(marks: Mapping[str, str | None]) -> bool:
    return any(text is not None for text in marks.values())


def _to_playwright(cookie: Cookie) -> SetCookieParam:
    param: SetCookieParam = {
        "name": cookie.name,
        "value": cookie.value,
        "domain": cookie.domain,
        "path": cookie.path,
        "expires": -1 if cookie.expires is None else cookie.expires,
        "secure": cookie.secure,
        "httpOnly": cookie.http_only,
    }
    if cookie.same_site is not None:
        param["sameSite"] = cookie.same_site
    return param


async def _accept_dialog(dialog: Dialog) -> None:
    """Accept a confirmation dialog."""
    await dialog.accept()


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
