"""The journal: stores session events on disk, and writes them to the database in order.

Appending never waits for PostgreSQL, and an outage loses nothing::

    session ── AppendEvent ──> Journal ── RecordEntries, in order ──> DbWriter
                                 │
                           journal.sqlite: flushed before the reply
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, TypeVar, assert_never

import structlog
import trio

from runtime import Actor, Address, AskFailed, Deferred, MailboxFull, Refusal

from ..errors import DatabaseOutage, JournalUnusable
from ..messages import Write
from .journal_codec import UnreadableEntry, decode_entry, encode_entry
from .journal_file import JournalFile, StoredEntry
from .messages import AppendEvent, FlushJournal, JournalEntry, JournalMessage, RecordEntries

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("journal")
T = TypeVar("T")

BATCH: Final = 500
"""Most entries that are appended, or recorded, at once."""
RECORD_TIMEOUT: Final = 10.0
"""Seconds that the writer gets for a batch; while it restarts, the batch waits in its mailbox."""
RETRY_PAUSE: Final = 0.2
"""Seconds until a batch without a reply is sent again."""
STOP_SECONDS: Final = 1.0
"""Seconds to record waiting entries when the actor stops; the rest is recorded after the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAppend:
    """An entry to append, or None for a reply when all entries before it are in the database."""

    body: str | None
    deferred: Deferred[object]


class Journal(Actor[JournalMessage]):
    """Replies when an entry is on disk, and writes entries to the database in the order of their arrival.

    Many entries share a flush, and many share a commit. A batch without a reply
    is sent again unchanged: an entry may be written twice and counts once. An
    entry that the database rejects is moved aside in the file, with the reason,
    and blocks nothing. Entries of an earlier incarnation are recorded first.

    Raises:
        JournalUnusable: from ``started``, when the file cannot be opened. Later, for example on a full
            disk, it is a dependency error: senders must retry.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (JournalUnusable,)

    def __init__(self, folder: Path, writer: Address[Write]) -> None:
        self._folder = folder
        self._writer = writer
        # SQLite's calls are short and are never abandoned: one thread at a time has the file.
        self._limiter = trio.CapacityLimiter(1)
        self._send_append, self._appends = trio.open_memory_channel[PendingAppend](BATCH)
        self._appended = trio.Event()
        self._last_position = 0
        """Position of the last appended entry."""
        self._flushes: list[tuple[int, Deferred[object]]] = []

    async def started(self) -> None:
        """Open the file; entries of an earlier incarnation are recorded in the background."""
        self.context.detail.update(waiting=0, oldest_at=None, recorded=0, rejected=0, unavailable=None)
        await self.context.nursery.start(self._serve)

    async def handle(self, message: JournalMessage) -> None:
        """Append an entry or register a flush; the reply is deferred."""
        body: str | None = None
        match message:
            case AppendEvent(entry=entry):
                body = encode_entry(entry)
            case FlushJournal():
                pass
            case _:
                assert_never(message)
        await self._send_append.send(PendingAppend(body=body, deferred=self.context.defer()))

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        with closing(await self._call(partial(JournalFile, self._folder))) as file:
            depth = await self._call(file.depth)
            self._last_position = depth.last
            self.context.detail.update(
                waiting=depth.waiting,
                oldest_at=None if depth.oldest is None else depth.oldest.isoformat(),
                rejected=depth.rejected,
            )
            if depth.waiting:
                LOGGER.info("journal_backlog_found", entries=depth.waiting)
            task_status.started()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._append_forever, file)
                    nursery.start_soon(self._record_forever, file)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
                    await self._record_rest(file)

    # Appending

    async def _append_forever(self, file: JournalFile) -> None:
        async for first in self._appends:
            batch = [first, *self._waiting_appends()]
            bodies = [append.body for append in batch if append.body is not None]
            if bodies:
                self._last_position = await self._call(partial(file.append, bodies))
                self.context.count(waiting=len(bodies))
            for append in batch:
                if append.body is None:
                    self._flushes.append((self._last_position, append.deferred))
                else:
                    append.deferred.set(None)
            self._appended.set()

    def _waiting_appends(self) -> list[PendingAppend]:
        """Appends that wait already and fit into the batch."""
        waiting: list[PendingAppend] = []
        while len(waiting) < BATCH - 1:
            try:
                waiting.append(self._appends.receive_nowait())
            except trio.WouldBlock:
                break
        return waiting

    # Recording

    async def _record_forever(self, file: JournalFile) -> None:
        while True:
            appended = self._appended = trio.Event()
            try:
                while await self._record_batch(file):
                    pass
            except (AskFailed, MailboxFull, Refusal) as error:
                self._report_blocked(error)
                await trio.sleep(RETRY_PAUSE)
            else:
                await appended.wait()

    async def _record_batch(self, file: JournalFile) -> bool:
        """Write the oldest entries to the database; False when there are none.

        Raises:
            AskFailed, MailboxFull, Refusal: the writer did not do it, as far as is known.
        """
        last_position = self._last_position
        stored = await self._call(partial(file.oldest, BATCH))
        if not stored:
            self.context.detail.update(waiting=0, oldest_at=None, unavailable=None)
            self._resolve_flushes(last_position)
            return False
        self.context.detail.update(oldest_at=stored[0].appended_at.isoformat())
        entries, rejections = _decode(stored)
        replies = await self._writer.ask(
            RecordEntries(entries=tuple(entry for _, entry in entries)), timeout=RECORD_TIMEOUT
        )
        recorded: list[StoredEntry] = []
        for (entry, _), refusal in zip(entries, replies, strict=True):
            if refusal is None:
                recorded.append(entry)
            else:
                rejections.append((entry, str(refusal)))
        await self._call(partial(file.remove, recorded, rejections))
        for entry, reason in rejections:
            LOGGER.warning("journal_entry_rejected", position=entry.position, reason=reason, entry=entry.body)
        self.context.count(waiting=-len(stored), recorded=len(recorded), rejected=len(rejections))
        self.context.detail["unavailable"] = None
        self._resolve_flushes(stored[-1].position)
        return True

    async def _record_rest(self, file: JournalFile) -> None:
        with suppress(AskFailed, MailboxFull, Refusal, JournalUnusable):
            while await self._record_batch(file):
                pass

    def _resolve_flushes(self, position: int) -> None:
        """Reply to the flushes that waited for entries up to this position."""
        waiting = self._flushes
        self._flushes = [flush for flush in waiting if flush[0] > position]
        for upto, deferred in waiting:
            if upto <= position:
                deferred.set(None)

    def _report_blocked(self, error: Exception) -> None:
        """The writer is unavailable: entries wait, and flushes are refused."""
        if self.context.detail["unavailable"] is None:
            LOGGER.warning("journal_blocked", entries=self.context.detail["waiting"], reason=str(error))
        self.context.detail.update(unavailable=str(error))
        refused, self._flushes = self._flushes, []
        for _, deferred in refused:
            deferred.fail(DatabaseOutage(f"journal entries wait for the database: {error}"))

    async def _call(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


def _decode(
    stored: Sequence[StoredEntry],
) -> tuple[list[tuple[StoredEntry, JournalEntry]], list[tuple[StoredEntry, str]]]:
    """The entries that can be sent, and those that cannot be decoded, with the reason."""
    entries: list[tuple[StoredEntry, JournalEntry]] = []
    unreadable: list[tuple[StoredEntry, str]] = []
    for each in stored:
        entry = decode_entry(each.body)
        if isinstance(entry, UnreadableEntry):
            unreadable.append((each, entry.reason))
        else:
            entries.append((each, entry))
    return entries, unreadable
