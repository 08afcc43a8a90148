"""Tells every WebSocket client what happens in the house, once encoded for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID, uuid4

import trio

from actors.queue.messages import QueueMessage
from actors.sessions.events import SessionChanged, SessionEvent
from actors.sessions.messages import RosterMessage, RosterQuery, SessionStatus, SessionView
from actors.settings import WebSettings
from runtime import Actor, Address, AskFailed, Bus, Exit, LifecycleEvent, Refusal, Request

from .announcements import announcements
from .feed import Feed
from .frames import Frame, FrameLog, encode
from .queue_news import QueueNews
from .schemas import Json, bot_status, iso

TICK: Final = 0.1
"""Seconds in which changes of a session are told as one."""
HISTORY: Final = 1000
"""Frames kept for clients that come back."""
ROSTER_TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Request[None]):
    """Fill a feed from now on, until its client leaves. Refused with :class:`TooManyClients`."""

    feed: Feed


class TooManyClients(Refusal):
    """As many WebSocket clients are connected as the settings allow."""


HubMessage: TypeAlias = Attach


class LiveHub(Actor[HubMessage]):
    """Numbers what clients are told, and hands it to their feeds.

    Its life is an epoch: a client that saw frame *n* of this epoch and comes
    back gets what followed, if that is remembered, else a snapshot.
    """

    def __init__(
        self,
        bus: Bus,
        roster: Address[RosterMessage],
        queue: Address[QueueMessage],
        settings: WebSettings,
    ) -> None:
        self._bus = bus
        self._roster = roster
        self._settings = settings
        self._log = FrameLog(uuid4().hex, length=HISTORY)
        self._feeds: set[Feed] = set()
        self._sessions: dict[UUID, SessionView] | None = None
        """None while nobody has told."""
        self._changed = trio.Event()
        self._changes = 0
        self._queue_news = QueueNews(
            bus, queue, tell=partial(self._tell, "queue_update"), wanted=lambda: bool(self._feeds)
        )

    async def started(self) -> None:
        await self.context.nursery.start(self._listen)
        await self.context.nursery.start(self._queue_news.run)
        await self._ask_roster()
        self.context.nursery.start_soon(self._report)

    async def handle(self, message: HubMessage) -> None:
        self._forget_gone()
        if len(self._feeds) >= self._settings.max_clients:
            raise TooManyClients(f"{len(self._feeds)} WebSocket clients are connected, which is the limit")
        self._welcome(message.feed)

    async def stopped(self, reason: Exit) -> None:
        for feed in self._feeds:
            feed.end()

    # Clients

    def _welcome(self, feed: Feed) -> None:
        missed = None if feed.resume is None else self._log.since(feed.resume)
        now = self._log.position
        hello: Json = {
            "message": "Connected to botvisor",
            "client_id": str(uuid4()),
            "seq": now.seq,
            "epoch": now.epoch,
            "resumed": missed is not None,
            "gap": feed.resume is not None and missed is None,
        }
        if feed.resume is not None and missed is not None:
            # Its number is the client's own: what the client missed comes after it.
            first = [encode("connection_established", hello, feed.resume), *missed]
        else:
            first = [
                self._log.aside("connection_established", hello),
                self._log.aside("status_update", self._status()),
            ]
        feed.begin(now.epoch, first, self._catch_up)
        self._feeds.add(feed)
        self._queue_news.tell_soon()
        self.context.detail["clients"] = len(self._feeds)

    def _forget_gone(self) -> None:
        self._feeds = {feed for feed in self._feeds if not feed.left}
        self.context.detail["clients"] = len(self._feeds)

    # What clients are told

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(SessionEvent, LifecycleEvent, capacity=4096) as subscription:
            task_status.started()
            missed = 0
            async for event in subscription:
                if subscription.missed > missed:
                    self._skip_all(subscription.missed - missed)
                    missed = subscription.missed
                if isinstance(event, SessionChanged):
                    self._apply(event)
                for announcement in announcements(event):
                    self._tell(announcement.type, announcement.data, announcement.timestamp)

    def _apply(self, change: SessionChanged) -> None:
        sessions = self._sessions if self._sessions is not None else {}
        if change.session.status is SessionStatus.STOPPED:
            sessions.pop(change.session_id, None)
        else:
            sessions[change.session_id] = change.session
        self._sessions = sessions
        self._changes += 1
        self._changed.set()

    async def _report(self) -> None:
        """Send ``status_update``: soon after changes, and at least once per interval."""
        last = trio.current_time()
        while True:
            with trio.move_on_after(self._settings.status_interval_seconds) as quiet:
                await self._changed.wait()
            if quiet.cancelled_caught:
                await self._ask_roster()
            await trio.sleep_until(last + TICK)
            self._changed = trio.Event()
            self._forget_gone()
            self._tell("status_update", self._status())
            last = trio.current_time()

    def _tell(self, kind: str, data: Json, timestamp: datetime | None = None) -> None:
        frame = self._log.append(kind, data, timestamp)
        for feed in self._feeds:
            feed.offer(frame)

    def _skip_all(self, missed: int) -> None:
        for feed in self._feeds:
            feed.skip(missed)

    def _catch_up(self, missed: int) -> Frame:
        self._queue_news.tell_soon()
        return self._log.aside("status_update", {**self._status(), "missed": missed})

    def _status(self) -> Json:
        status: Json = {"timestamp": iso(datetime.now(UTC))}
        if self._sessions is not None:
            status["bot_status"] = bot_status(next(iter(self._sessions.values()), None))
            status["dashboard_metrics"] = {"active_sessions": len(self._sessions)}
        return status

    async def _ask_roster(self) -> None:
        """Learn how things stand; what is known is kept where the roster is away."""
        changes = self._changes
        try:
            view = await self._roster.ask(RosterQuery(), timeout=ROSTER_TIMEOUT)
        except AskFailed:
            return
        # An event that arrived meanwhile may be newer than the answer.
        if changes == self._changes:
            self._sessions = {session.id: session for session in view.sessions}
