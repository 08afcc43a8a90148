"""Keeps what happened until it is on record, so that no fact waits for PostgreSQL and none is lost.

::

    session ── KeepFact ──> Journal ── RecordFacts, in order ──> DbWriter
                              │
                        facts.sqlite: flushed before the answer
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

from ..errors import JournalUnusable
from ..messages import Write
from ..refusals import RecordUnavailable
from .journal_codec import Unreadable, read_text, write_text
from .journal_file import Entry, JournalFile
from .messages import AppendEvent, EntryWrite, FlushJournal, JournalMessage, RecordEntries

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("journal")
T = TypeVar("T")

FILE: Final = "facts.sqlite"
BATCH: Final = 500
"""Most facts that are flushed, or recorded, at once."""
RECORD_TIMEOUT: Final = 10.0
"""Seconds that the writer gets for a batch; while it restarts, the batch waits in its mailbox."""
PAUSE: Final = 0.2
"""Seconds until a batch that got no answer is sent again."""
STOP_PATIENCE: Final = 1.0
"""Seconds for what is left when the actor is to stop; the next life records what it was too short for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A fact to be flushed, or None to learn when all before it are on record."""

    body: str | None
    deferred: Deferred[object]


class Journal(Actor[JournalMessage]):
    """Answers when a fact is on disk, and carries facts to the record in the order in which they came.

    Many facts share a flush, and many a commit. A batch without an answer is
    sent again as it was: each fact may be written twice and counts once. What
    the record cannot hold is set aside in the file, with the reason, and
    keeps nothing else waiting. Facts that an earlier life left are the first to go.

    Raises:
        JournalUnusable: from ``started``, when the file cannot be opened. Later, as on a full disk,
            it is an absence: who keeps facts must ask again.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (JournalUnusable,)

    def __init__(self, folder: Path, writer: Address[Write]) -> None:
        self._path = folder / FILE
        self._writer = writer
        # SQLite's calls are short and are never left alone: one thread at a time has the file.
        self._limiter = trio.CapacityLimiter(1)
        self._taken, self._wanted = trio.open_memory_channel[Kept](BATCH)
        self._news = trio.Event()
        self._kept = 0
        """Place of the fact that was kept last."""
        self._settling: list[tuple[int, Deferred[object]]] = []

    async def started(self) -> None:
        self.context.detail.update(waiting=0, oldest_at=None, recorded=0, refused=0, away=None)
        await self.context.nursery.start(self._serve)

    async def handle(self, message: JournalMessage) -> None:
        body: str | None = None
        match message:
            case AppendEvent(fact=fact):
                body = write_text(fact)
            case FlushJournal():
                pass
            case _:
                assert_never(message)
        await self._taken.send(Kept(body=body, deferred=self.context.defer()))

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        with closing(await self._call(partial(JournalFile, self._path))) as file:
            depth = await self._call(file.depth)
            self._kept = depth.last
            self.context.detail.update(
                waiting=depth.waiting,
                oldest_at=None if depth.oldest is None else depth.oldest.isoformat(),
                refused=depth.refused,
            )
            if depth.waiting:
                LOGGER.info("facts_left_over", facts=depth.waiting)
            task_status.started()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_forever, file)
                    nursery.start_soon(self._record_forever, file)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_PATIENCE):
                    await self._record_the_rest(file)

    # Keeping

    async def _keep_forever(self, file: JournalFile) -> None:
        async for first in self._wanted:
            batch = [first, *self._waiting()]
            bodies = [kept.body for kept in batch if kept.body is not None]
            if bodies:
                self._kept = await self._call(partial(file.append, bodies))
                self.context.count(waiting=len(bodies))
            for kept in batch:
                if kept.body is None:
                    self._settling.append((self._kept, kept.deferred))
                else:
                    kept.deferred.set(None)
            self._news.set()

    def _waiting(self) -> list[Kept]:
        """What else is to be kept already and fits into the flush."""
        waiting: list[Kept] = []
        while len(waiting) < BATCH - 1:
            try:
                waiting.append(self._wanted.receive_nowait())
            except trio.WouldBlock:
                break
        return waiting

    # Recording

    async def _record_forever(self, file: JournalFile) -> None:
        while True:
            news = self._news = trio.Event()
            try:
                while await self._record_some(file):
                    pass
            except (AskFailed, MailboxFull, Refusal) as error:
                self._stand_back(error)
                await trio.sleep(PAUSE)
            else:
                await news.wait()

    async def _record_some(self, file: JournalFile) -> bool:
        """Bring the oldest facts to the record; False when there are none.

        Raises:
            AskFailed, MailboxFull, Refusal: the writer did not do it, as far as is known.
        """
        kept = self._kept
        entries = await self._call(partial(file.oldest, BATCH))
        if not entries:
            self.context.detail.update(waiting=0, oldest_at=None, away=None)
            self._settle(kept)
            return False
        self.context.detail.update(oldest_at=entries[0].kept_at.isoformat())
        facts, refusals = _read(entries)
        answers = await self._writer.ask(
            RecordEntries(facts=tuple(fact for _, fact in facts)), timeout=RECORD_TIMEOUT
        )
        recorded: list[Entry] = []
        for (entry, _), refusal in zip(facts, answers, strict=True):
            if refusal is None:
                recorded.append(entry)
            else:
                refusals.append((entry, str(refusal)))
        await self._call(partial(file.remove, recorded, refusals))
        for entry, reason in refusals:
            LOGGER.warning("fact_set_aside", place=entry.place, reason=reason, fact=entry.body)
        self.context.count(waiting=-len(entries), recorded=len(recorded), refused=len(refusals))
        self.context.detail["away"] = None
        self._settle(entries[-1].place)
        return True

    async def _record_the_rest(self, file: JournalFile) -> None:
        with suppress(AskFailed, MailboxFull, Refusal, JournalUnusable):
            while await self._record_some(file):
                pass

    def _settle(self, place: int) -> None:
        """Everything up to this place is on record."""
        waiting = self._settling
        self._settling = [one for one in waiting if one[0] > place]
        for upto, deferred in waiting:
            if upto <= place:
                deferred.set(None)

    def _stand_back(self, error: Exception) -> None:
        """The writer is away: facts wait, and who waits for them is told."""
        if self.context.detail["away"] is None:
            LOGGER.warning("facts_wait", facts=self.context.detail["waiting"], reason=str(error))
        self.context.detail.update(away=str(error))
        refused, self._settling = self._settling, []
        for _, deferred in refused:
            deferred.fail(RecordUnavailable(f"facts wait to be recorded: {error}"))

    async def _call(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


def _read(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, EntryWrite]], list[tuple[Entry, str]]]:
    """What can be sent, and what cannot even be read."""
    facts: list[tuple[Entry, EntryWrite]] = []
    unreadable: list[tuple[Entry, str]] = []
    for entry in entries:
        fact = read_text(entry.body)
        if isinstance(fact, Unreadable):
            unreadable.append((entry, fact.reason))
        else:
            facts.append((entry, fact))
    return facts, unreadable
