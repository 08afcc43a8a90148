"""Opens the page in Chromium.

Errors on the page or its console, and requests to other hosts, fail the test.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trio
from playwright.sync_api import Page, expect, sync_playwright

SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@contextmanager
def opened(chromium: Path, url: str, *, allowed=(), **options: object) -> Generator[Page, None, None]:
    """Open a URL in Chromium; fail on errors and foreign requests that contain none of ``allowed``."""
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        page.on(
            "console", lambda line: problems.append(line.text) if line.type in {"error", "warning"} else None
        )
        page.on("request", lambda request: _note_foreign(request.url, url, problems))
        page.goto(url)
        yield page
        browser.close()
    assert [line for line in problems if not any(mark in line for mark in allowed)] == []


def _note_foreign(requested: str, ours: str, problems: list[str]) -> None:
    if urlsplit(requested).netloc != urlsplit(ours).netloc:
        problems.append(f"outside request: {requested}")


@asynccontextmanager
async def checking(check: Callable[[], None]) -> AsyncGenerator[None, None]:
    """Run a check of the page in a thread while the block changes the application."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, check)
        yield


def go(page: Page, name: str) -> None:
    """Follow a link of the navigation."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def answer(page: Page, label: str) -> None:
    """Press a button of the dialog."""
    page.get_by_role("dialog").get_by_role("button", name=label, exact=True).click()


def card(page: Page, title: str):
    """Find a section of the page by its heading."""
    return page.get_by_role("region", name=title, exact=True)


def check_readable(page: Page, width: int) -> None:
    """Check the layout, the contrast of texts, and names and landmarks for screen readers."""
    # Colours take a moment to change.
    expect(page.locator("bv-connection")).to_have_text("Live")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(page.locator(".state:visible").all_inner_texts())
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(NAMELESS) == []
    headings = page.locator("h1, h2").all_inner_texts()
    assert len(headings) == len(set(headings))
    for landmark in ("banner", "main"):
        expect(page.get_by_role(landmark)).to_have_count(1)


# Texts with a contrast below 4.5:1 (WCAG AA), except on disabled buttons.
CONTRASTS = r"""() => {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")].filter((node) =>
    !node.closest("[aria-disabled=true], .skip, title") &&
    [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) &&
    node.getClientRects().length
  ).map((node) => {
    const style = getComputedStyle(node);
    const [a, b] = [light(parse(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
    return [node.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""

# Elements without an accessible name, references to missing ids, and duplicate ids.
NAMELESS = r"""() => {
  const all = [...document.querySelectorAll("body *")];
  const shown = all.filter((node) => node.getClientRects().length);
  const regions = "table, nav, [role=group], [role=log], svg[role=img]";
  const ids = all.map((node) => node.id).filter(Boolean);
  const named = (node) => node.ariaLabel || node.textContent.trim() || node.querySelector("img[alt]");
  return [
    ...shown.filter((node) => node.matches("input, select, textarea") && !node.labels.length),
    ...shown.filter((node) => node.matches("a, button, summary") && !named(node)),
    ...all.filter((node) => node.matches("img:not([alt])")),
    ...all.filter((node) => node.tabIndex > 0),
    ...shown.filter((node) => node.matches(regions) && !node.ariaLabel),
    ...all.filter((node) => ["aria-labelledby", "aria-describedby", "for"].some((name) =>
      (node.getAttribute(name) ?? "").split(" ").filter(Boolean).some((id) => !ids.includes(id)))),
  ].map((node) => node.outerHTML.slice(0, 200)).concat(ids.filter((id, i) => ids.indexOf(id) !== i));
}"""


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""The smallest PNG image."""
