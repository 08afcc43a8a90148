"""A portal in memory that implements the portal protocol; tests can make each answer fail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from actors.database.rows import SessionRow
from actors.portals.errors import ForeignAddress, JobTaken, OutcomeUnknown, SessionExpired
from actors.portals.portal import Job, JobOutcome
from actors.sessions.database_actors import DatabaseActors
from actors.sessions.screenshots.messages import ScreenshotMessage
from actors.sessions.session.session import SessionContext
from runtime import Address, Bus

from ..database.harness import DatabaseHarness

PICTURE = b"\x89PNG\r\n\x1a\nnot much of a picture"


class Board:
    """The state of a portal, shared by all its sessions."""

    def __init__(self, *jobs: Job) -> None:
        self.table = {job.ref: job for job in jobs}
        self.outcomes = dict.fromkeys(self.table, JobOutcome.OPEN)
        self.clicks: list[str] = []
        self.logins = 0
        self.spoil: dict[str, list[Exception]] = {}
        """Errors by method, each raised once, before anything is changed."""
        self.lose_answers: set[str] = set()
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
    async def open(self) -> AsyncGenerator[View, None]:
        yield View(self)

    async def wait_for_checks(self, times: int = 1) -> None:
        """Wait until the table was read so many more times."""
        until = self.checks + times
        while self.checks < until:
            self.checked = trio.Event()
            await self.checked.wait()


def session_context(
    row: SessionRow,
    board: Board,
    record: DatabaseHarness,
    bus: Bus,
    *,
    screenshot_store: Address[ScreenshotMessage] | None = None,
    owner: str | None = None,
) -> SessionContext:
    """Build the context of a session on this board."""
    return SessionContext(
        row=row,
        engine="http",
        open_portal=board.open,
        database=database_actors(record),
        screenshot_store=Address[ScreenshotMessage]("screenshot_store")
        if screenshot_store is None
        else screenshot_store,
        bus=bus,
        owner=owner,
    )


def database_actors(record: DatabaseHarness) -> DatabaseActors:
    return DatabaseActors(writer=record.writer, reader=record.reader, journal=record.journal)


class View:
    """One session's portal."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.signed_in = False

    async def login(self) -> None:
        await self._spoil("login")
        if self.board.hold_login is not None:
            await self.board.hold_login.wait()
        self.board.logins += 1
        self.signed_in = True

    async def jobs(self) -> list[Job]:
        await self._spoil("jobs")
        if not self.signed_in:
            raise SessionExpired
        self.board.checks += 1
        self.board.checked.set()
        return [job for ref, job in self.board.table.items() if self.board.outcomes[ref] is JobOutcome.OPEN]

    async def accept(self, ref: str) -> None:
        await self._click("accept", ref, JobOutcome.ACCEPTED)

    async def reject(self, ref: str, reason: str) -> None:
        assert reason
        await self._click("reject", ref, JobOutcome.REJECTED)

    async def outcome(self, ref: str) -> JobOutcome:
        await self._spoil("outcome")
        return self.board.outcomes.get(ref, JobOutcome.UNKNOWN)

    async def navigate(self, path: str) -> str:
        await self._spoil("navigate")
        if path.startswith("http"):
            raise ForeignAddress(path, "http://board")
        self.board.visited.append(path)
        return f"Board ({path})"

    async def screenshot(self) -> bytes:
        await self._spoil("screenshot")
        return PICTURE

    async def _click(self, method: str, ref: str, outcome: JobOutcome) -> None:
        board = self.board
        await self._spoil(method)
        board.before_click(ref)
        if board.outcomes[ref] is JobOutcome.TAKEN:
            raise JobTaken(ref)
        board.clicks.append(f"{method} {ref}")
        board.outcomes[ref] = outcome
        board.clicked.set()
        if board.hold_clicks is not None:
            await board.hold_clicks.wait()
        if ref in board.lose_answers:
            board.lose_answers.discard(ref)
            raise OutcomeUnknown(ref, "the answer was lost")

    async def _spoil(self, method: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.board.spoil.get(method):
            raise self.board.spoil[method].pop(0)
