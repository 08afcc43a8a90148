from __future__ import annotations

import trio
from playwright.sync_api import expect

from runtime import ChildFailed, ChildStarted
from runtime.testing import next_event

from ..web.fakes.actors import Fail
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import checking, go, opened


class UnknownMessage:
    """A message that the database reader does not handle, so that it fails."""


async def test_the_tree_shows_each_actor_and_its_restarts(chromium):
    """A failure shows its cause and the time of the restart; a restart is counted."""
    application = FakeApplication()
    there, failed, back = trio.Event(), trio.Event(), trio.Event()

    def check() -> None:
        with opened(chromium, f"{application.url}/#/tree") as page:
            for name in ("database", "db_writer", "session_controller", "hub", "server"):
                node = page.locator(".node").filter(has=page.get_by_text(name, exact=True))
                expect(node.locator(".state")).to_have_text("running")
                if name != "database":
                    expect(node).to_contain_text("mailbox 0/64")
            trio.from_thread.run_sync(there.set)
            node = page.locator(".node").filter(has=page.get_by_text("redis_sync", exact=True))
            expect(node.locator(".state")).to_have_text("backoff")
            expect(node).to_contain_text("restarts at")
            expect(node).to_contain_text("power cut")
            trio.from_thread.run_sync(failed.set)
            expect(page.locator(".node").filter(has_text="db_reader")).to_contain_text("1 restart")
            go(page, "Overview")
            expect(page.get_by_role("log")).to_contain_text("power cut")
            trio.from_thread.run_sync(back.set)

    with application.bus.subscribe(ChildFailed, ChildStarted) as children:
        async with serving(application), checking(check):
            with trio.fail_after(30):
                await there.wait()
                application.mirror.tell_nowait(Fail(reason="power cut"))
                await failed.wait()
                application.reader.tell_nowait(UnknownMessage())
                await next_event(children, ChildStarted)
                await back.wait()
