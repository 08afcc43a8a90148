"""The peer of the sessions benchmark: sessions as bare scripts of httpx or Playwright.

``python -m tests.bench.sessions_bare ENGINE URL SESSIONS MAX_ACTIVE RULES`` prints
a line when it is up and one when all sessions are logged in. Then each line of
stdin is a number of seconds to work, and its reply has the times of the cycles: at
most MAX_ACTIVE sessions at once read the table, decide by the rules, and press the
buttons.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Final, Protocol, TypeAlias

import httpx
from playwright.async_api import Page, async_playwright
from selectolax.lexbor import LexborHTMLParser, LexborNode

from actors.database.rows import Decision
from actors.portals.browser.chromium import find_chromium
from actors.portals.portal import Job
from actors.sessions.session.rules import Rules, Verdict, decide

ACCOUNT: Final = {"username": "operator", "password": "practice"}
CELLS: Final = {
    "ref": "td.ref",
    "submitted": "td.submitted",
    "appt_date": "td.date",
    "appt_time": "td.time",
    "duration": "td.duration",
    "language": "td.language",
    "job_type": "td.type",
    "status": "td.status",
}
ROW: Final = "table#jobs tbody tr"
READ: Final = """
([row, cells]) => Array.from(document.querySelectorAll(row), (found) => Object.fromEntries(
    Object.entries(cells).map(([name, cell]) => [name, found.querySelector(cell).textContent.trim()])
))
"""


class Script(Protocol):
    """One session of a script."""

    async def jobs(self) -> list[Job]:
        """Load the table, and return the jobs that are open."""
        ...

    async def press(self, ref: str, verdict: Verdict) -> None:
        """Press the button of a job, and check the portal's confirmation."""
        ...


NewScript: TypeAlias = Callable[[], Awaitable[Script]]
"""Logs in one more session."""


class HttpScript:
    """A session with httpx and selectolax."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._rows: dict[str, LexborNode] = {}

    async def log_in(self) -> None:
        page = LexborHTMLParser((await self._client.get("/login")).text)
        answer = await self._client.post("/login", data=_hidden(page.css_first("form#login")) | ACCOUNT)
        assert 'form id="logout"' in answer.text

    async def jobs(self) -> list[Job]:
        answer = await self._client.get("/jobs")
        self._rows = {}
        jobs: list[Job] = []
        for row in LexborHTMLParser(answer.text).css(ROW):
            if _text(row.css_first(CELLS["status"])) == "open":
                job = Job(**{name: _text(row.css_first(cell)) for name, cell in CELLS.items()})
                self._rows[job.ref] = row
                jobs.append(job)
        return jobs

    async def press(self, ref: str, verdict: Verdict) -> None:
        kind = "accept" if verdict.decision is Decision.ACCEPT else "reject"
        form = self._rows[ref].css_first(f"form.{kind}")
        assert form is not None
        values = _hidden(form) | ({} if kind == "accept" else {"reason": verdict.reason or ""})
        answer = await self._client.post(form.attributes["action"] or "", data=values)
        assert LexborHTMLParser(answer.text).css_first(f".flash.{kind}ed") is not None


class BrowserScript:
    """A session with Playwright."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url

    async def log_in(self) -> None:
        await self._page.goto(self._url + "/login", wait_until="domcontentloaded")
        for name, value in ACCOUNT.items():
            await self._page.locator(f"form#login [name={name}]").fill(value)
        async with self._page.expect_navigation(wait_until="domcontentloaded"):
            await self._page.locator("form#login button").click()
        assert await self._page.locator("form#logout").count()

    async def jobs(self) -> list[Job]:
        await self._page.goto(self._url + "/jobs", wait_until="domcontentloaded")
        jobs = [Job(**row) for row in await self._page.evaluate(READ, [ROW, CELLS])]
        return [job for job in jobs if job.status == "open"]

    async def press(self, ref: str, verdict: Verdict) -> None:
        kind = "accept" if verdict.decision is Decision.ACCEPT else "reject"
        form = self._page.locator(f"tr[data-ref={ref}] form.{kind}")
        if kind == "reject":
            await form.locator("[name=reason]").fill(verdict.reason or "")
        async with self._page.expect_navigation(wait_until="domcontentloaded"):
            await form.locator("button").click(no_wait_after=True)
        assert await self._page.locator(f".flash.{kind}ed").count()


class ScriptPool:
    """All sessions of a script."""

    def __init__(self, rules: Rules, max_active_pages: int) -> None:
        self.scripts: list[Script] = []
        self._rules = rules
        self._limit = asyncio.Semaphore(max_active_pages)
        self._claimed: set[str] = set()
        """Jobs that a session decides, so that no other one does."""

    async def work(self, seconds: float) -> list[list[float]]:
        """Work for so many seconds; return the end of each cycle by session, in seconds since the start."""
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._cycles(script, began, seconds)) for script in self.scripts]
        return [task.result() for task in tasks]

    async def _cycles(self, script: Script, began: float, seconds: float) -> list[float]:
        ends: list[float] = []
        while True:
            async with self._limit:
                if perf_counter() - began > seconds:
                    return ends
                await self._cycle(script)
            ends.append(perf_counter() - began)

    async def _cycle(self, script: Script) -> None:
        accepted = 0
        for job in await script.jobs():
            verdict = decide(job, self._rules, accepted=accepted)
            if job.ref not in self._claimed and verdict.decision is not None:
                self._claimed.add(job.ref)
                await script.press(job.ref, verdict)
                accepted += verdict.decision is Decision.ACCEPT


@asynccontextmanager
async def open_http(url: str) -> AsyncGenerator[NewScript, None]:
    """Sessions with a client, and so with cookies, of their own."""
    tls = httpx.create_ssl_context()
    async with AsyncExitStack() as stack:

        async def new_script() -> Script:
            client = httpx.AsyncClient(base_url=url, verify=tls, follow_redirects=True, timeout=60)
            script = HttpScript(await stack.enter_async_context(client))
            await script.log_in()
            return script

        yield new_script


@asynccontextmanager
async def open_browser(url: str) -> AsyncGenerator[NewScript, None]:
    """Sessions with a context of their own in one browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), chromium_sandbox=False)

        async def new_script() -> Script:
            context = await browser.new_context()
            script = BrowserScript(await context.new_page(), url)
            await script.log_in()
            return script

        yield new_script


async def main(engine: str, url: str, sessions: int, pool: ScriptPool) -> None:
    async with (open_http if engine == "http" else open_browser)(url) as new_script:
        _send("up")
        for _ in range(sessions):
            pool.scripts.append(await new_script())
        _send("logged in")
        while line := await asyncio.to_thread(sys.stdin.readline):
            _send(await pool.work(float(line)))


def _hidden(form: LexborNode | None) -> dict[str, str]:
    assert form is not None
    fields = form.css("input[type=hidden]")
    return {field.attributes["name"] or "": field.attributes["value"] or "" for field in fields}


def _text(node: LexborNode | None) -> str:
    assert node is not None
    return node.text().strip()


def _send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    name, address, number, most, configured = sys.argv[1:]
    asyncio.run(main(name, address, int(number), ScriptPool(Rules(**json.loads(configured)), int(most))))
