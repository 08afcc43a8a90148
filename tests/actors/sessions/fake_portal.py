"""A portal in memory that implements the portal protocol; tests can make each answer fail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from actors.database.rows import SessionRow
from actors.portals.errors import ForeignAddress, JobTaken, OutcomeUnknown, SessionExpired
from actors.portals.portal import Job, JobOutcome
from actors.sessions.screenshots.messages import ScreenshotMessage
from actors.sessions.session.session import SessionContext
from actors.sessions.session.session_state import DatabaseActors
from runtime import Address, Bus

from ..database.harness import DatabaseHarness

PNG = b"\x89PNG\r\n\x1a\nnot a real image"


class FakePortal:
    """The state of a portal, shared by all its sessions."""

    def __init__(self, *jobs: Job) -> None:
        self.table = {job.ref: job for job in jobs}
        self.outcomes = dict.fromkeys(self.table, JobOutcome.OPEN)
        self.clicks: list[str] = []
        self.logins = 0
        self.errors: dict[str, list[Exception]] = {}
        """Errors by method, each raised once, before anything is changed."""
        self.lost_answers: set[str] = set()
        """Refs whose next click takes effect, but whose answer is lost."""
        self.before_click: Callable[[str], object] = lambda _: None
        self.hold_clicks: trio.Event | None = None
        self.hold_login: trio.Event | None = None
        self.clicked = trio.Event()
        self.checked = trio.Event()
        self.checks = 0
        self.visited: list[str] = []

    def add(self, *jobs: Job) -> None:
        for job in jobs:
            self.table[job.ref] = job
            self.outcomes[job.ref] = JobOutcome.OPEN

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[FakeConnection, None]:
        yield FakeConnection(self)

    async def wait_for_checks(self, times: int = 1) -> None:
        """Wait until the table was read so many more times."""
        until = self.checks + times
        while self.checks < until:
            self.checked = trio.Event()
            await self.checked.wait()


def session_context(
    row: SessionRow,
    portal: FakePortal,
    db: DatabaseHarness,
    bus: Bus,
    *,
    screenshot_store: Address[ScreenshotMessage] | None = None,
    owner: str | None = None,
) -> SessionContext:
    """Build the context of a session on this portal."""
    return SessionContext(
        row=row,
        engine="http",
        open_portal=portal.open,
        database=database_actors(db),
        screenshot_store=Address[ScreenshotMessage]("screenshot_store")
        if screenshot_store is None
        else screenshot_store,
        bus=bus,
        owner=owner,
    )


def database_actors(db: DatabaseHarness) -> DatabaseActors:
    return DatabaseActors(writer=db.writer, reader=db.reader, journal=db.journal)


class FakeConnection:
    """The portal that one session opened."""

    def __init__(self, portal: FakePortal) -> None:
        self.portal = portal
        self.signed_in = False

    async def login(self) -> None:
        await self._raise_error("login")
        if self.portal.hold_login is not None:
            await self.portal.hold_login.wait()
        self.portal.logins += 1
        self.signed_in = True

    async def jobs(self) -> list[Job]:
        await self._raise_error("jobs")
        if not self.signed_in:
            raise SessionExpired
        self.portal.checks += 1
        self.portal.checked.set()
        return [job for ref, job in self.portal.table.items() if self.portal.outcomes[ref] is JobOutcome.OPEN]

    async def accept(self, ref: str) -> None:
        await self._click("accept", ref, JobOutcome.ACCEPTED)

    async def reject(self, ref: str, reason: str) -> None:
        assert reason
        await self._click("reject", ref, JobOutcome.REJECTED)

    async def outcome(self, ref: str) -> JobOutcome:
        await self._raise_error("outcome")
        return self.portal.outcomes.get(ref, JobOutcome.UNKNOWN)

    async def navigate(self, path: str) -> str:
        await self._raise_error("navigate")
        if path.startswith("http"):
            raise ForeignAddress(path, "http://portal")
        self.portal.visited.append(path)
        return f"Portal ({path})"

    async def screenshot(self) -> bytes:
        await self._raise_error("screenshot")
        return PNG

    async def _click(self, method: str, ref: str, outcome: JobOutcome) -> None:
        portal = self.portal
        await self._raise_error(method)
        portal.before_click(ref)
        if portal.outcomes[ref] is JobOutcome.TAKEN:
            raise JobTaken(ref)
        portal.clicks.append(f"{method} {ref}")
        portal.outcomes[ref] = outcome
        portal.clicked.set()
        if portal.hold_clicks is not None:
            await portal.hold_clicks.wait()
        if ref in portal.lost_answers:
            portal.lost_answers.discard(ref)
            raise OutcomeUnknown(ref, "the answer was lost")

    async def _raise_error(self, method: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.portal.errors.get(method):
            raise self.portal.errors[method].pop(0)
