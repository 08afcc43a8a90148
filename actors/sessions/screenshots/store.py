"""Stores screenshots in the data directory and prunes the oldest.

::

    screenshots/<session id>/20260301-120000-000000-screenshot.png
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, assert_never
from uuid import UUID

import trio

from runtime import Actor

from .messages import (
    NoSuchScreenshot,
    PruneScreenshots,
    SaveScreenshot,
    Screenshot,
    ScreenshotMessage,
    ScreenshotQuery,
    ScreenshotRefused,
    ScreenshotsQuery,
)

T = TypeVar("T")

MAX_PNG_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one screenshot."""
PRUNE_PERIOD: Final = 600.0
"""Seconds between two pruning passes."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TIME: Final = "%Y%m%d-%H%M%S-%f"
_NAME: Final = re.compile(r"([0-9]{8}-[0-9]{6}-[0-9]{6})-[a-z0-9_-]{1,40}\.png")


class ScreenshotStore(Actor[ScreenshotMessage]):
    """Keeps at most ``keep_count`` screenshots of each session, each for at most ``keep_hours``.

    File access runs in one worker thread at a time.
    """

    def __init__(self, folder: Path, *, keep_count: int, keep_hours: float) -> None:
        self._folder = folder
        self._keep_count = keep_count
        self._keep = timedelta(hours=keep_hours)
        self._limiter = trio.CapacityLimiter(1)

    async def started(self) -> None:
        with suppress(OSError):  # later requests report the error
            await self._call(self._prune_all)
        self.context.tell_every(PRUNE_PERIOD, PruneScreenshots())

    async def handle(self, message: ScreenshotMessage) -> object:
        match message:
            case SaveScreenshot():
                return await self._call(partial(self._add, message))
            case ScreenshotsQuery(session_id=session, limit=limit):
                found = await self._call(partial(self._list, session))
                return tuple(found[-limit:][::-1])
            case ScreenshotQuery(session_id=session, name=name):
                return await self._call(partial(self._read, session, name))
            case PruneScreenshots():
                return await self._call(self._prune_all)
            case _:
                assert_never(message)

    async def _call(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)

    # In a worker thread

    def _add(self, message: SaveScreenshot) -> Screenshot:
        png = message.png
        if not png.startswith(_PNG) or len(png) > MAX_PNG_BYTES:
            raise ScreenshotRefused(f"{len(png)} bytes are not a PNG of at most {MAX_PNG_BYTES} bytes")
        now = datetime.now(UTC)
        label = re.sub(r"[^a-z0-9_]+", "-", message.label.lower()).strip("-")[:40] or "screenshot"
        path = self._folder / str(message.session_id) / f"{now:{_TIME}}-{label}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        # Write and rename, so that a reader never sees a partial file.
        partial_file = path.with_suffix(".half")
        partial_file.write_bytes(png)
        partial_file.chmod(0o600)
        os.replace(partial_file, path)
        self._prune(message.session_id, now)
        return Screenshot(name=path.name, taken_at=now, size=len(png))

    def _list(self, session: UUID) -> list[Screenshot]:
        return list(self._of(session))

    def _of(self, session: UUID) -> Iterator[Screenshot]:
        """Oldest first."""
        folder = self._folder / str(session)
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            with suppress(FileNotFoundError, ValueError):
                taken = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
                yield Screenshot(name=name, taken_at=taken, size=(folder / name).stat().st_size)

    def _read(self, session: UUID, name: str) -> bytes:
        missing = NoSuchScreenshot(f"session {session} has no screenshot {name[:100]!r}")
        # Only names that this store generates: no path leads out of the folder.
        if _NAME.fullmatch(name) is None:
            raise missing
        try:
            with (self._folder / str(session) / name).open("rb") as file:
                return file.read(MAX_PNG_BYTES)
        except FileNotFoundError:
            raise missing from None

    def _prune_all(self) -> None:
        now = datetime.now(UTC)
        try:
            folders = os.listdir(self._folder)
        except FileNotFoundError:
            return
        for folder in folders:
            with suppress(ValueError):
                self._prune(UUID(folder), now)

    def _prune(self, session: UUID, now: datetime) -> None:
        screenshots = self._list(session)
        surplus = len(screenshots) - self._keep_count
        for index, screenshot in enumerate(screenshots):
            if index < surplus or screenshot.taken_at < now - self._keep:
                (self._folder / str(session) / screenshot.name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or not there
            (self._folder / str(session)).rmdir()
