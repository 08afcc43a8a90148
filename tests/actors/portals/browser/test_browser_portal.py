"""The browser engine with a real Chromium, on the practice portal and on a scripted site."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio

from actors.portals import (
    Credentials,
    ForeignAddress,
    JobOutcome,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    Portal,
    PortalDefinition,
    PortalUnavailable,
    SessionExpired,
    load_definition,
)
from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_portal import BrowserPortal, open_browser_portal
from actors.portals.http.http_portal import open_http_portal
from actors.portals.politeness import Politeness
from runtime import Address, System
from runtime.testing import run_actor

from ....web.practice.portal_process import portal_settings
from ..engines import expire_logins

PRACTICE = load_definition(Path(__file__).parents[4] / "config" / "portals" / "practice.toml")
OPERATOR = Credentials(username="operator", password="practice")
PNG = b"\x89PNG\r\n\x1a\n"
CALM: dict[str, float] = {
    "port": 0,
    "initial_jobs": 5,
    "arrival_seconds": 0,
    "taken_share": 0,
    "session_seconds": 0,
    "slow_share": 0,
    "error_share": 0,
}


@asynccontextmanager
async def practice(folder: Path, **faults: float) -> AsyncGenerator[PortalDefinition, None]:
    """The practice portal as a process of its own; it ends when its stdin is closed."""
    settings = portal_settings(folder / "practice.db", **(CALM | faults))
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "web.practice"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with trio.fail_after(20):
            await process.stdin.send_all(json.dumps(settings).encode() + b"\n")
            url: str = json.loads(await process.stdout.receive_some())["url"]
        yield PRACTICE.at(url)
    finally:
        process.kill()
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            await process.wait()
        await process.stdin.aclose()
        await process.stdout.aclose()


LOGIN = (
    '<form id="login" method="post" action="/login">'
    '<input name="username"><input name="password"><button>Log in</button></form>'
)
INSIDE = '<form id="logout"></form>'
TABLE = (
    '<table id="jobs"><tr><td class="ref">A-1</td><td class="status">open</td>'
    '<td><form class="accept" method="post" action="/jobs/A-1/accept"><button>Accept</button></form></td>'
    "</tr></table>"
)


@dataclass
class Page:
    """A response of the scripted site."""

    body: str = ""
    status: int = 200
    to: str = ""
    """Redirects to this path instead."""
    hold: bool = False
    """Responds only once the site is closed."""


@dataclass
class Site:
    """A web site with responses chosen by the test; records what was posted."""

    pages: dict[str, Page] = field(default_factory=dict[str, Page])
    posted: list[str] = field(default_factory=list[str])
    posts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    closing: threading.Event = field(default_factory=threading.Event)

    def page(self, request: str) -> Page:
        defaults = {
            "GET /login": Page(LOGIN),
            "POST /login": Page(to="/jobs"),
            "GET /jobs": Page(INSIDE + TABLE),
        }
        return self.pages.get(request) or defaults.get(request) or Page(status=404)

    async def next_post(self) -> None:
        """Wait for the next post."""
        await trio.to_thread.run_sync(self.posts.acquire, abandon_on_cancel=True)


@contextmanager
def scripted_site() -> Generator[tuple[Site, PortalDefinition], None, None]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = site.page(f"{self.command} {self.path}")
            if self.command == "POST" and self.path != "/login":
                site.posted.append(self.path)
                site.posts.release()
            if page.hold:
                site.closing.wait(30)
                return
            body = f"<!doctype html><title>Site</title>{page.body}".encode()
            self.send_response(303 if page.to else page.status)
            if page.to:
                self.send_header("Location", page.to)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site, replace(PRACTICE.at(f"http://127.0.0.1:{server.server_port}"), timeout_seconds=6.0)
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()


@dataclass
class RunningHost:
    """A browser host with methods to open portals and to kill processes."""

    address: Address[BrowserQuery]
    system: System
    run_dir: Path

    def kill(self, name: str) -> None:
        pid = self.system.snapshot().children[0].detail[name]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)

    def kill_renderers(self) -> int:
        """Crash every page."""
        killed = 0
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if b"--type=renderer" in command and os.fsencode(self.run_dir) in command:
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed += 1
        return killed

    @property
    def contexts(self) -> object:
        return self.system.snapshot().children[0].detail["contexts"]

    @asynccontextmanager
    async def portal(
        self, definition: PortalDefinition, credentials: Credentials = OPERATOR
    ) -> AsyncGenerator[BrowserPortal, None]:
        async with open_browser_portal(definition, credentials, self.address) as portal:
            yield portal


@pytest.fixture
async def application(chromium: Path, tmp_path: Path) -> AsyncGenerator[RunningHost, None]:
    address: Address[BrowserQuery] = Address("browser_host")

    def start() -> BrowserHost:
        return BrowserHost(executable=chromium, run_dir=tmp_path / "browser")

    async with run_actor(start, address) as system:
        yield RunningHost(address=address, system=system, run_dir=tmp_path / "browser")


async def test_a_whole_cycle_on_the_practice_portal(application: RunningHost, tmp_path: Path) -> None:
    """Log in, read the table, accept a job, reject a job with a reason, and read the outcomes."""
    async with practice(tmp_path) as definition, application.portal(definition) as opened:
        portal: Portal = opened
        await portal.login()
        first, second, third, *_ = jobs = await portal.jobs()
        assert len(jobs) == 5
        assert all((job.ref, job.language, job.job_type, job.status) for job in jobs)

        await portal.accept(first.ref)
        await portal.reject(second.ref, 'not "ours" & <too far>')
        assert await portal.outcome(first.ref) is JobOutcome.ACCEPTED
        assert await portal.outcome(second.ref) is JobOutcome.REJECTED
        assert await portal.outcome(third.ref) is JobOutcome.OPEN
        assert await portal.outcome("no such job") is JobOutcome.UNKNOWN
        assert [job.ref for job in await portal.jobs()] == [job.ref for job in jobs[2:]]

        await portal.accept(third.ref)
        await portal.login()
        assert len(await portal.jobs()) == 2
    assert application.contexts == 0


async def test_both_engines_read_the_same(application: RunningHost, tmp_path: Path) -> None:
    """Jobs and outcomes are equal through the browser and over HTTP."""
    async with (
        practice(tmp_path) as definition,
        application.portal(definition) as browser,
        open_http_portal(definition, OPERATOR) as http,
    ):
        await browser.login()
        await http.login()
        jobs = await browser.jobs()
        assert jobs == await http.jobs()
        await browser.accept(jobs[0].ref)
        await http.accept(jobs[0].ref)
        await http.accept(jobs[1].ref)
        await browser.accept(jobs[1].ref)
        with pytest.raises(JobTaken):
            await browser.reject(jobs[0].ref, "too late")
        for job in jobs[:3]:
            assert await browser.outcome(job.ref) is await http.outcome(job.ref)


async def test_no_password_is_in_a_traceback(application: RunningHost) -> None:
    """Playwright's errors contain the value that could not be filled in."""
    form = LOGIN.replace('<input name="password">', '<input type="checkbox" name="password">')
    secret = Credentials(username="operator", password="hunter2")
    with scripted_site() as (site, definition):
        site.pages["GET /login"] = Page(form)
        async with application.portal(definition, secret) as portal:
            with pytest.raises(PortalUnavailable) as caught:
                await portal.login()
    portal_settings = "".join(traceback.format_exception(caught.value))
    assert "Locator.fill" in portal_settings
    assert "hunter2" not in portal_settings


async def test_wrong_credentials_are_refused(application: RunningHost, tmp_path: Path) -> None:
    """The reason is the portal's own text."""
    wrong = Credentials(username="operator", password="wrong")
    async with practice(tmp_path) as definition, application.portal(definition, wrong) as portal:
        with pytest.raises(LoginRefused, match="User name or password is wrong"):
            await portal.login()


async def test_an_expired_session_is_detected(application: RunningHost, tmp_path: Path) -> None:
    """Reads and decisions raise `SessionExpired`; after another login they work."""
    async with (
        practice(tmp_path, session_seconds=600.0) as definition,
        application.portal(definition) as portal,
    ):
        with pytest.raises(SessionExpired):
            await portal.jobs()
        await portal.login()
        ref = (await portal.jobs())[0].ref
        expire_logins(tmp_path / "practice.db")
        with pytest.raises(SessionExpired):
            await portal.accept(ref)
        with pytest.raises(SessionExpired):
            await portal.outcome(ref)
        await portal.login()
        await portal.accept(ref)


async def test_an_unreachable_portal(application: RunningHost) -> None:
    """A refused connection is `PortalUnavailable`, not an error of the browser."""
    with scripted_site() as (_, definition):
        pass
    async with application.portal(definition) as portal:
        with pytest.raises(PortalUnavailable, match="ERR_CONNECTION_REFUSED"):
            await portal.login()


async def test_reading_from_a_failing_portal(application: RunningHost) -> None:
    """5xx, timeouts and disabled forms are `PortalUnavailable`; missing elements are `PageChanged`."""
    with scripted_site() as (site, definition):
        async with application.portal(definition) as portal:
            await portal.login()
            site.pages["GET /jobs"] = Page(INSIDE + TABLE, status=503)
            with pytest.raises(PortalUnavailable, match="/jobs answered 503"):
                await portal.jobs()
            site.pages["GET /jobs"] = Page(hold=True)
            with pytest.raises(PortalUnavailable, match="no answer within 6 s"):
                await portal.jobs()
        async with application.portal(definition) as portal:
            site.pages["GET /jobs"] = Page(INSIDE)
            with pytest.raises(PageChanged, match="table#jobs"):
                await portal.jobs()
            site.pages["GET /jobs"] = Page(TABLE.replace('class="ref"', ""))
            with pytest.raises(PageChanged, match=r"td\.ref"):
                await portal.jobs()
            site.pages["GET /jobs"] = Page(TABLE.replace("<button", "<span"))
            with pytest.raises(PageChanged, match=r"form\.accept"):
                await portal.accept("A-1")
            site.pages["GET /jobs"] = Page(TABLE.replace("<button", "<button disabled"))
            await portal.jobs()
            with pytest.raises(PortalUnavailable, match="was not ready in time"):
                await portal.accept("A-1")
            site.pages["GET /login"] = Page("<p>Welcome</p>")
            with pytest.raises(PageChanged, match="form#login"):
                await portal.login()
        assert site.posted == []


async def test_results_of_a_click(application: RunningHost) -> None:
    """Each response to a click has one result, `OutcomeUnknown` if unclear; there is exactly one click."""
    cases: list[tuple[Page, type[Exception] | None]] = [
        (Page('<p class="flash accepted"></p>'), None),
        (Page('<p id="already-taken"></p>', status=409), JobTaken),
        (Page("broken", status=500), OutcomeUnknown),
        (Page("what now?"), OutcomeUnknown),
        (Page(hold=True), OutcomeUnknown),
        (Page(to="/login"), SessionExpired),
        (Page(to="/done"), OutcomeUnknown),  # logged out after the decision was received
    ]
    with scripted_site() as (site, definition):
        site.pages["GET /done"] = Page(to="/login")
        async with application.portal(definition) as portal:
            for page, expected in cases:
                site.posted.clear()
                await portal.login()
                site.pages["POST /jobs/A-1/accept"] = page
                with nullcontext() if expected is None else pytest.raises(expected):
                    await portal.accept("A-1")
                assert site.posted == ["/jobs/A-1/accept"], page


async def test_a_job_missing_from_the_table_is_taken(application: RunningHost) -> None:
    """Without an open row nothing is clicked: the job is already accepted, or taken by another user."""
    results = '<table id="results"><tr><td class="ref">A-2</td><td class="status">{}</td></tr></table>'
    with scripted_site() as (site, definition):
        definition = replace(definition, results=replace(definition.results, row="table#results tr"))
        async with application.portal(definition) as portal:
            await portal.login()
            for word, expected in (("accepted", None), ("taken", JobTaken)):
                site.pages["GET /results?ref=A-2"] = Page(results.format(word))
                with nullcontext() if expected is None else pytest.raises(expected):
                    await portal.accept("A-2")
                site.pages["GET /jobs"] = Page(TABLE.replace("open", word))
                assert await portal.jobs() == []
                with nullcontext() if expected is None else pytest.raises(expected):
                    await portal.accept("A-1")
        assert site.posted == []


async def test_a_cancelled_click_is_made_once(application: RunningHost) -> None:
    """A cancelled accept ends at once; the page can be read afterwards."""
    with scripted_site() as (site, definition):
        async with application.portal(definition) as portal:
            await portal.login()
            site.pages["POST /jobs/A-1/accept"] = Page(hold=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(portal.accept, "A-1")
                await site.next_post()
                nursery.cancel_scope.cancel()
            assert [job.ref for job in await portal.jobs()] == ["A-1"]
        assert site.posted == ["/jobs/A-1/accept"]


@pytest.mark.parametrize("victim", ["chromium_pid", "driver_pid"])
async def test_a_browser_killed_during_a_click(application: RunningHost, victim: str) -> None:
    """The outcome is unknown; the portal continues in the next browser."""
    with scripted_site() as (site, definition):
        async with application.portal(definition) as portal:
            await portal.login()
            site.pages["POST /jobs/A-1/accept"] = Page(hold=True)
            async with trio.open_nursery() as nursery:

                async def accept() -> None:
                    with pytest.raises(OutcomeUnknown):
                        await portal.accept("A-1")

                nursery.start_soon(accept)
                await site.next_post()
                application.kill(victim)
            await until_available(portal.login)
            assert len(await portal.jobs()) == 1
        assert site.posted == ["/jobs/A-1/accept"]


async def test_crashed_pages_are_replaced(application: RunningHost, tmp_path: Path) -> None:
    """After a crash of every page the portal recovers in the same browser, possibly with a new login."""
    async with practice(tmp_path) as definition:
        definition = replace(definition, timeout_seconds=3.0)
        async with application.portal(definition) as portal:

            async def work() -> None:
                try:
                    assert len(await portal.jobs()) == 5
                except SessionExpired:
                    await portal.login()
                    raise PortalUnavailable("not yet") from None

            await portal.login()
            assert application.kill_renderers() > 0
            with pytest.raises(PortalUnavailable):
                await portal.jobs()
            await until_available(work)
            assert application.contexts == 1
            assert application.system.snapshot().children[0].restarts == 0


async def test_pages_with_scripts_and_dialogs(application: RunningHost) -> None:
    """A table that a script adds later is read, and a confirmation dialog is accepted."""
    late = INSIDE + (
        "<script>setTimeout(() => { document.body.insertAdjacentHTML('beforeend', "
        + json.dumps(TABLE).replace("</", "<\\/")
        + "); document.querySelector('form.accept').onsubmit = () => confirm('Sure?'); }, 200)</script>"
    )
    with scripted_site() as (site, definition):
        site.pages["GET /jobs"] = Page(late)
        site.pages["POST /jobs/A-1/accept"] = Page('<p class="flash accepted"></p>')
        async with application.portal(definition) as portal:
            await portal.login()
            assert [job.ref for job in await portal.jobs()] == ["A-1"]
            await portal.accept("A-1")
        assert site.posted == ["/jobs/A-1/accept"]


async def test_a_page_that_waits_for_the_throttle_frees_its_slot(chromium: Path, tmp_path: Path) -> None:
    """The only page slot is free during waits for the rate limit, also between two requests."""
    address: Address[BrowserQuery] = Address("browser_host")
    start = partial(BrowserHost, executable=chromium, run_dir=tmp_path / "browser", max_active_pages=1)
    with scripted_site() as (_, definition):
        slow = replace(definition, politeness=Politeness(requests_per_second=0.4))
        async with (
            run_actor(start, address),
            open_browser_portal(slow, OPERATOR, address) as polite,
            open_browser_portal(definition, OPERATOR, address) as quick,
        ):
            await quick.jobs()
            await polite.jobs()
            signed_in, longest = trio.Event(), 0.0

            async def sign_in() -> None:
                await polite.login()
                signed_in.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(sign_in)
                # A login takes two requests, each of which waits for 2.5 s.
                while not signed_in.is_set():
                    asked = trio.current_time()
                    await quick.jobs()
                    longest = max(longest, trio.current_time() - asked)
                    await trio.sleep(0.05)
            assert longest < 2


async def until_available(action: Callable[[], Awaitable[None]]) -> None:
    """Repeat an action until it no longer raises `PortalUnavailable`."""
    with trio.fail_after(15):
        while True:
            try:
                await action()
            except PortalUnavailable:
                await trio.sleep(0.1)
            else:
                return


async def test_navigate_and_screenshot(application: RunningHost, tmp_path: Path) -> None:
    """`navigate` returns title and path, and rejects other hosts; a screenshot is a PNG."""
    async with practice(tmp_path) as definition, application.portal(definition) as portal:
        assert (await portal.screenshot()).startswith(PNG)
        with pytest.raises(SessionExpired):
            await portal.navigate("/jobs")
        assert await portal.navigate("/login") == "Sign in · Practice portal (/login)"
        await portal.login()
        assert await portal.navigate("/results?ref=A") == "Results · Practice portal (/results?ref=A)"
        assert await portal.navigate(f"{definition.base_url}/") == "Jobs · Practice portal (/jobs)"
        picture = await portal.screenshot()
        assert picture.startswith(PNG)
        assert len(picture) > 10_000
        with pytest.raises(ForeignAddress):
            await portal.navigate("https://elsewhere.example/")
        assert len(await portal.jobs()) == 5
