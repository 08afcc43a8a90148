"""One page of the browser as asyncio sees it: visits, readings and clicks.

Each method is one call over the bridge, however many round trips to Chromium it takes. What the answers mean
is left to `browser.py`.
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

# All of a page in one round trip.
_READ = """
({ marks, row, fields }) => {
    const text = (root, selector) => {
        const found = selector ? root.querySelector(selector) : null;
        return found ? found.textContent.trim().replace(/\\s+/g, " ") : null;
    };
    const texts = (root, selectors) =>
        Object.fromEntries(Object.entries(selectors).map(([name, selector]) => [name, text(root, selector)]));
    return {
        address: location.href,
        marks: texts(document, marks),
        rows: row ? Array.from(document.querySelectorAll(row), (found) => texts(found, fields)) : [],
    };
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabQuery:
    """What to read from a page, all of it CSS selectors by a name of the asker's."""

    marks: Mapping[str, str]
    """Within the page; a page without any of them is given a moment to show one."""
    row: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Within each row; "" is nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """What a page shows; each text is the first match's with its white space tidied, None without a match."""

    address: str
    marks: dict[str, str | None]
    rows: list[dict[str, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TabResult:
    """What came of going to a page."""

    content: PageContent
    status: int
    redirects: int
    """How many redirects led here."""


_CONTENT = TypeAdapter(PageContent)


class Tab:
    """A page that is visited, read and clicked on; used by one task at a time."""

    def __init__(self, page: Page, *, settle_seconds: float) -> None:
        self.page = page
        # A page written by scripts may show what is asked for only some time after it was loaded.
        self._settle_seconds = settle_seconds

    async def prepare(self) -> None:
        """Set the page up, once."""
        # Time is limited by the caller, for whole methods.
        self.page.set_default_timeout(0)
        self.page.on("dialog", _agree)

    async def renew(self) -> None:
        """Put a new page in the place of this one; cookies stay."""
        old, self.page = self.page, await self.page.context.new_page()
        await self.prepare()
        await old.close()

    async def visit(self, url: str, question: TabQuery) -> TabResult:
        """Go to an address and read what is there."""
        return await self._answer(await self.page.goto(url, wait_until="domcontentloaded"), question)

    async def read(self, question: TabQuery) -> PageContent:
        """Read the page that is there now."""
        asked = {"marks": dict(question.marks), "row": question.row, "fields": dict(question.fields)}
        return _CONTENT.validate_python(await self.page.evaluate(_READ, asked))

    async def picture(self) -> bytes:
        """Return what the window shows now, as PNG."""
        return await self.page.screenshot(type="png", animations="disabled")

    async def html(self) -> str:
        """Return the page as it is now, after its scripts."""
        return await self.page.content()

    async def cookies(self) -> tuple[Cookie, ...]:
        """Return all cookies."""
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

    async def restore(self, cookies: tuple[Cookie, ...]) -> None:
        """Add cookies, as they were returned before."""
        await self.page.context.add_cookies([_as_playwright(cookie) for cookie in cookies])

    async def forget(self) -> None:
        """Remove all cookies."""
        await self.page.context.clear_cookies()

    def form(self, selector: str) -> Locator:
        """Name a form on the page."""
        return self.page.locator(f"css={selector}").first

    def form_in_row(self, row: str, cell: str, text: str, selector: str) -> Locator:
        """Name a form in the row where a cell holds a text.

        By its text and not by its place: a table may move its rows at any time.
        """
        words = r"\s+".join(re.escape(word) for word in text.split())
        exactly = re.compile(rf"^\s*{words}\s*$")
        having = self.page.locator(f"css={cell}").filter(has_text=exactly)
        return self.page.locator(f"css={row}").filter(has=having).first.locator(f"css={selector}").first

    async def fill(self, form: Locator, values: Mapping[str, str]) -> bool:
        """Fill a form in and make sure that it can be sent; tell whether it could be done.

        Nothing is sent yet.
        """
        patience = self._settle_seconds * 1000
        try:
            for name, value in values.items():
                await form.locator(f'css=[name="{_quoted(name)}"]').first.fill(value, timeout=patience)
            await form.locator(_SUBMIT).first.click(trial=True, timeout=patience)
        except PlaywrightTimeout:
            return False
        return True

    async def has(self, form: Locator, values: Mapping[str, str]) -> bool:
        """Whether the form is there, with a button and these fields, usable or not."""
        parts = [_SUBMIT, *(f'css=[name="{_quoted(name)}"]' for name in values)]
        return all([await form.locator(part).count() for part in parts])

    async def submit(self, form: Locator, question: TabQuery) -> TabResult:
        """Send a form by its button and read the page that answers.

        From here on the form may have been sent, whether this returns, fails or is cancelled.
        """
        async with self.page.expect_navigation(wait_until="domcontentloaded") as navigation:
            await form.locator(_SUBMIT).first.click(no_wait_after=True)
        return await self._answer(await navigation.value, question)

    async def _answer(self, response: Response | None, question: TabQuery) -> TabResult:
        content = await self.read(question)
        if response is not None and response.ok and not _any(content.marks):
            content = await self._settled(question)
        redirects = 0
        request = None if response is None else response.request
        while request is not None and (request := request.redirected_from) is not None:
            redirects += 1
        return TabResult(
            content=content, status=200 if response is None else response.status, redirects=redirects
        )

    async def _settled(self, question: TabQuery) -> PageContent:
        any_mark = "css=" + ", ".join(question.marks.values())
        # Where none comes the asker will see for himself.
        with contextlib.suppress(PlaywrightTimeout):
            await self.page.wait_for_selector(any_mark, state="attached", timeout=self._settle_seconds * 1000)
        return await self.read(question)


def _any(marks: Mapping[str, str | None]) -> bool:
    return any(text is not None for text in marks.values())


def _as_playwright(cookie: Cookie) -> SetCookieParam:
    known: SetCookieParam = {
        "name": cookie.name,
        "value": cookie.value,
        "domain": cookie.domain,
        "path": cookie.path,
        "expires": -1 if cookie.expires is None else cookie.expires,
        "secure": cookie.secure,
        "httpOnly": cookie.http_only,
    }
    if cookie.same_site is not None:
        known["sameSite"] = cookie.same_site
    return known


async def _agree(dialog: Dialog) -> None:
    """Answer "are you sure?" as somebody does who has decided."""
    await dialog.accept()


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
