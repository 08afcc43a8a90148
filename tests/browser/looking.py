"""How tests look at the page: in a real browser, where what a person would not forgive fails the test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trio
from playwright.sync_api import Page, expect, sync_playwright

SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@contextmanager
def opened(chromium: Path, url: str, *, allowed=(), **options: object) -> Generator[Page, None, None]:
    """The page in a real browser; an error on it or its console, or a foreign request, fails the test."""
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
        page.on(
            "console", lambda line: wrong.append(line.text) if line.type in {"error", "warning"} else None
        )
        page.on("request", lambda request: _note_foreign(request.url, url, wrong))
        page.goto(url)
        yield page
        browser.close()
    assert [line for line in wrong if not any(mark in line for mark in allowed)] == []


def _note_foreign(requested: str, ours: str, wrong: list[str]) -> None:
    if urlsplit(requested).netloc != urlsplit(ours).netloc:
        wrong.append(f"outside request: {requested}")


@asynccontextmanager
async def looking(look: Callable[[], None]) -> AsyncGenerator[None, None]:
    """Look at the page in a thread of its own while the block changes the house."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, look)
        yield


def go(page: Page, name: str) -> None:
    """Follow a link of the navigation."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def answer(page: Page, word: str) -> None:
    """Answer the question that is asked."""
    page.get_by_role("dialog").get_by_role("button", name=word, exact=True).click()


def card(page: Page, title: str):
    """A part of a page by its heading."""
    return page.get_by_role("region", name=title, exact=True)


def check_readable(page: Page, width: int) -> None:
    """It fits, every state has its word, texts stand out, and whoever does not see it knows what is what."""
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


# Each text with less than 4.5:1 against its background (WCAG AA), but for buttons that cannot be pressed.
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

# What has no name for those who do not see it, or refers to what is not there; ids that are there twice.
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
