from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from playwright.sync_api import Page, expect, sync_playwright
from pydantic import SecretStr

from actors.queue.messages import CancelTask, PauseTasks, RetryTask, TaskState
from actors.records.rows import JobStatus
from actors.sessions.events import SessionTroubled
from runtime import ChildFailed, ChildStarted
from runtime.testing import next_event

from ..web.parts import NOON, Break, House, job_processed, living, session_view, task_view, web_settings

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
async def looking(look: Callable[[], None]):
    """Look at the page in a thread of its own while the block changes the house."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, look)
        yield


async def test_the_page_shows_tree_session_and_events(chromium):
    """All of it from the start, and what happens as it happens."""
    view = session_view(session_name="Night shift")
    house = House(sessions=[view])
    there, failed, back = trio.Event(), trio.Event(), trio.Event()

    def look() -> None:
        with opened(chromium, house.url) as page:
            expect(page.locator("bv-connection")).to_have_text("Live")
            expect(page.locator(".session-name")).to_have_text("Night shift")
            expect(page.locator("bv-session .state")).to_have_text("running")
            expect(page.locator(".counters")).to_contain_text("7")
            for name in ("records", "db_writer", "roster", "hub", "server"):
                node = page.locator(".node").filter(has=page.get_by_text(name, exact=True))
                expect(node.locator(".state")).to_have_text("running")
                if name != "records":
                    expect(node).to_contain_text("mailbox 0/64")
            trio.from_thread.run_sync(there.set)
            log = page.get_by_role("log")
            expect(log).to_contain_text("J-77 · Polish")
            expect(log).to_contain_text("The portal is slow")
            expect(log).to_contain_text("power cut")
            node = page.locator(".node").filter(has=page.get_by_text("redis_sync", exact=True))
            expect(node.locator(".state")).to_have_text("backoff")
            expect(node).to_contain_text("starts again at")
            expect(node).to_contain_text("power cut")
            trio.from_thread.run_sync(failed.set)
            expect(page.locator(".node").filter(has_text="db_reader")).to_contain_text("1 restart")
            trio.from_thread.run_sync(back.set)

    with house.bus.subscribe(ChildFailed, ChildStarted) as children:
        async with living(house), looking(look):
            with trio.fail_after(30):
                await there.wait()
                house.bus.publish(job_processed(session_id=view.id, job_ref="J-77"))
                trouble = SessionTroubled(session_id=view.id, timestamp=NOON, message="The portal is slow")
                house.bus.publish(trouble)
                house.mirror.tell_nowait(Break(reason="power cut"))
                await failed.wait()
                house.reader.tell_nowait(Nonsense())
                await next_event(children, ChildStarted)
                await back.wait()


class Nonsense:
    """No message that the record knows, so that it fails."""


async def test_the_buttons_start_and_stop_the_bot(chromium):
    """By keyboard; what the server refuses is said in its own words."""
    house = House()

    def look() -> None:
        with opened(chromium, house.url, allowed=("400 (",)) as page:
            start, stop = page.get_by_role("button", name="Start"), page.get_by_role("button", name="Stop")
            expect(page.locator(".session-name")).to_have_text("No active session")
            expect(stop).to_be_disabled()
            start.focus()
            page.keyboard.press("Enter")
            expect(page.locator("bv-session .state")).to_have_text("running")
            expect(start).to_be_disabled()
            stop.focus()
            page.keyboard.press("Enter")
            expect(page.locator(".session-name")).to_have_text("No active session")
            # Somebody else was faster, and no event said so.
            trio.from_thread.run_sync(house.sessions.append, session_view())
            start.click()
            expect(page.get_by_role("alert")).to_have_text("Bot is already running")

    async with living(house), looking(look):
        pass


async def test_the_page_comes_back_after_a_restart(chromium):
    """It says that it lost the server, connects again by itself and goes on with the new one."""
    first = House(sessions=[session_view(session_name="Before")])
    live, lost, over = trio.Event(), trio.Event(), trio.Event()

    def look() -> None:
        with opened(chromium, first.url, allowed=("ERR_CONNECTION", "WebSocket")) as page:
            expect(page.locator(".session-name")).to_have_text("Before")
            trio.from_thread.run_sync(live.set)
            expect(page.locator("bv-connection")).to_have_text("Reconnecting")
            trio.from_thread.run_sync(lost.set)
            expect(page.locator("bv-connection")).to_have_text("Live", timeout=15_000)
            expect(page.locator(".session-name")).to_have_text("After")
            expect(page.get_by_role("log")).to_contain_text("Some events were missed")
        trio.from_thread.run_sync(over.set)

    async with trio.open_nursery() as nursery:
        async with living(first):
            nursery.start_soon(trio.to_thread.run_sync, look)
            with trio.fail_after(30):
                await live.wait()
        second = House(settings=web_settings(port=first.port), sessions=[session_view(session_name="After")])
        with trio.fail_after(30):
            await lost.wait()
        async with living(second):
            with trio.fail_after(30):
                await over.wait()


async def test_a_person_with_the_token_gets_in(chromium):
    """The form takes it, the address bar forgets it, and the page works with the cookie."""
    house = House(settings=web_settings(token=SecretStr("open sesame".replace(" ", "-"))))

    def look() -> None:
        with opened(chromium, house.url, allowed=("401 (",)) as page:
            page.get_by_label("Access token").fill("wrong")
            page.keyboard.press("Enter")
            page.wait_for_url("**/?token=wrong")
            page.get_by_label("Access token").fill("open-sesame")
            page.get_by_role("button", name="Open").click()
            expect(page.locator("bv-connection")).to_have_text("Live")
            assert page.url == house.url + "/"
            page.get_by_role("button", name="Start").click()
            expect(page.locator("bv-session .state")).to_have_text("running")

    async with living(house), looking(look):
        pass


async def test_the_tasks_are_counted_explained_cancelled_and_retried(chromium):
    """Those that run or have failed can be dealt with; the queue can be held."""
    running = task_view(type="screenshot", state=TaskState.RUNNING, progress=40.0, attempts=1)
    failed = task_view(type="login", state=TaskState.FAILED, error="The portal said no", attempts=3)
    house = House(tasks=[running, failed, task_view()])

    def look() -> None:
        with opened(chromium, house.url) as page:
            tallies = page.locator(".tallies > div")
            expect(tallies.filter(has_text="running").locator("dd")).to_have_text("1")
            expect(tallies.filter(has_text="pending").locator("dd")).to_have_text("1")
            tasks = page.locator(".task")
            expect(tasks).to_have_count(2)
            at_work, broken = tasks.filter(has_text="screenshot"), tasks.filter(has_text="login")
            expect(at_work).to_contain_text("attempt 1 of 3 · 40 %")
            expect(broken).to_contain_text("The portal said no")
            at_work.get_by_role("button", name="Explain").click()
            expect(at_work).to_contain_text("2 of 2 run already")
            at_work.get_by_role("button", name="Cancel").click()
            expect(at_work).to_have_count(0)
            broken.get_by_role("button", name="Retry").click()
            expect(page.get_by_text("No task runs or has failed.")).to_be_visible()
            expect(tallies.filter(has_text="cancelled").locator("dd")).to_have_text("1")
            page.get_by_role("button", name="Hold queue").click()

    async with living(house), looking(look):
        pass
    assert CancelTask(id=running.id) in house.asked_queue
    assert RetryTask(id=failed.id) in house.asked_queue
    assert PauseTasks() in house.asked_queue


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_and_can_be_read(chromium, size, scheme):
    """Nothing is wider than the screen, every state has its word, and texts stand out from what is behind."""
    house = House(
        sessions=[session_view(session_name="S" * 200, message="slow " * 60)],
        tasks=[
            task_view(
                type="t" * 100, group="g" * 100, state=TaskState.FAILED, error="no " * 100, finished_at=NOON
            ),
            task_view(state=TaskState.RUNNING, progress=40.0, started_at=NOON),
        ],
    )
    width, height = SIZES[size]
    session = house.sessions[0].id

    def happen() -> None:
        house.mirror.tell_nowait(Break(reason="power cut " * 30))
        house.bus.publish(SessionTroubled(session_id=session, timestamp=NOON, message="x" * 300))
        for status in (JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.FAILED):
            house.bus.publish(job_processed(status=status, reason="because " * 30))

    def look() -> None:
        viewport = {"width": width, "height": height}
        with opened(chromium, house.url, viewport=viewport, color_scheme=scheme) as page:
            expect(page.locator(".node")).to_have_count(13)
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
            expect(page.locator(".task")).to_have_count(2)
            page.get_by_role("button", name="Explain").first.click()
            expect(page.locator(".task-reasons > li")).to_have_count(1)
            trio.from_thread.run_sync(happen)
            expect(page.locator(".log > li")).to_have_count(5)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert all(page.locator(".state").all_inner_texts())
            assert page.evaluate(CONTRASTS) == []
            headings = page.get_by_role("heading").all_inner_texts()
            assert headings == ["botvisor", "Session", "Tasks", "Supervisor tree", "Live events"]
            for landmark in ("banner", "main"):
                expect(page.get_by_role(landmark)).to_have_count(1)
            assert page.get_by_role("region").count() == 4

    async with living(house), looking(look):
        pass


# Each text with less than 4.5:1 against its background (WCAG AA), but for disabled buttons.
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
    !node.closest("button:disabled, .skip, svg") &&
    [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) &&
    node.getClientRects().length
  ).map((node) => {
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    return [node.className || node.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""
