"""Tells every WebSocket client what happens in the house, once encoded for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID, uuid4

import trio

from actors.analytics.events import AnalyticsUpdated
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.messages import Query
from actors.monitor.events import ServiceChanged
from actors.queue.messages import QueueMessage
from actors.sessions.events import JobProcessed, SessionChanged, SessionEvent
from actors.sessions.messages import ControllerMessage, SessionsViewQuery
from actors.settings import WebSettings
from runtime import Actor, Address, AskFailed, Bus, Exit, LifecycleEvent, Refusal, Request

from ..api.analytics.dashboard import Dashboard
from ..api.realtime.events import RealtimeUpdate
from ..api.serializers import Json, bot_status, iso
from .coalescing import EventCoalescer
from .feed import Feed
from .frames import Frame, FrameLog, encode
from .queue_stats_publisher import QueueStatsPublisher
from .topics import Interest, Topic
from .translator import EventTranslator

TICK: Final = 0.1
"""Seconds in which what a session repeats is told once."""
TURNS: Final = 4
"""Sessions that are told of in a tick, of those that only repeat themselves."""
STATUS_PAUSE: Final = 1.0
"""Seconds between two ``status_update`` while sessions change."""
HISTORY: Final = 1000
"""Frames of each topic kept for clients that come back."""
SNAPSHOT_AGE: Final = 1.0
"""Seconds for which clients that come share a snapshot; each gets what followed it as well."""
CONTROLLER_TIMEOUT: Final = 2.0

TOLD: Final = (
    SessionEvent,
    LifecycleEvent,
    ServiceChanged,
    ConfigurationChanged,
    ConfigurationRefreshRequested,
    AnalyticsUpdated,
    RealtimeUpdate,
)
"""Events that clients hear of."""


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
        settings: WebSettings,
        *,
        session_controller: Address[ControllerMessage],
        queue: Address[QueueMessage],
        reader: Address[Query],
    ) -> None:
        self._bus = bus
        self._session_controller = session_controller
        self._settings = settings
        self._log = FrameLog(uuid4().hex, length=HISTORY)
        self._feeds: set[Feed] = set()
        self._narrator = EventTranslator()
        self._known = False
        """Somebody told how the sessions are."""
        self._doubtful = False
        """An event was missed, which may have been a session's last."""
        self._turns = EventCoalescer()
        self._waiting = trio.Event()
        """There are turns to take."""
        self._changed = trio.Event()
        self._changes = 0
        self._snapshot: tuple[float, Frame] | None = None
        wanted = lambda: bool(self._feeds)  # noqa: E731 - asked for by two
        self._queue_news = QueueStatsPublisher(
            bus, queue, tell=partial(self._tell, "queue_update"), wanted=wanted
        )
        self._dashboard = Dashboard(
            reader,
            interval=settings.status_interval_seconds,
            changed=self._mark_changed,
            wanted=wanted,
        )

    async def started(self) -> None:
        await self.context.nursery.start(self._listen)
        await self.context.nursery.start(self._queue_news.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask_roster)
            nursery.start_soon(self._dashboard.read)
        self.context.nursery.start_soon(self._dashboard.run)
        self.context.nursery.start_soon(self._take_turns)
        self.context.nursery.start_soon(self._report)

    async def handle(self, message: HubMessage) -> None:
        self._forget_gone()
        if len(self._feeds) >= self._settings.max_clients:
            connected = f"{len(self._feeds)} WebSocket clients are connected"
            raise TooManyClients(f"{connected}, as many as web.max_clients allows")
        self._welcome(message.feed)

    async def stopped(self, reason: Exit) -> None:
        for feed in self._feeds:
            feed.end()

    # Clients

    def _welcome(self, feed: Feed) -> None:
        missed = None if feed.resume is None else self._log.since(feed.resume, feed.interest)
        if feed.resume is not None and missed is not None:
            # What the client missed comes after the number that it knows.
            here, first = feed.resume, missed
        else:
            first = [*self._how_it_stands(feed.interest), *self._queue_stands(feed.interest)]
            here = replace(self._log.position, seq=first[0].seq)
        hello: Json = {
            "message": "Connected to botvisor",
            "client_id": str(uuid4()),
            "seq": here.seq,
            "epoch": here.epoch,
            "resumed": missed is not None,
            "gap": feed.resume is not None and missed is None,
            **feed.interest.described(),
        }
        feed.begin(here.epoch, [encode("connection_established", hello, here), *first], self._catch_up)
        self._feeds.add(feed)
        if self._queue_news.latest is None:
            self._queue_news.tell_soon()
        self._dashboard.read_soon()
        self.context.detail["clients"] = len(self._feeds)

    def _forget_gone(self) -> None:
        self._feeds = {feed for feed in self._feeds if not feed.left}
        self.context.detail["clients"] = len(self._feeds)

    def _how_it_stands(self, interest: Interest) -> list[Frame]:
        """A snapshot, and what followed it: many who come at once share one."""
        if interest.sessions is not None:
            return [self._log.aside("status_update", self._overview(interest))]
        if self._snapshot is not None:
            made, frame = self._snapshot
            followed = self._log.since(replace(self._log.position, seq=frame.seq), interest)
            if followed is not None and trio.current_time() < made + SNAPSHOT_AGE:
                return [frame, *followed]
        frame = self._log.aside("status_update", self._overview(interest))
        self._snapshot = trio.current_time(), frame
        return [frame]

    def _queue_stands(self, interest: Interest) -> list[Frame]:
        """What the others know of the queue: not each newcomer is a reason to tell all of them again."""
        counts = self._queue_news.latest
        if counts is None or not interest.wants(Topic.QUEUE, None):
            return []
        return [self._log.aside("queue_update", counts)]

    def _catch_up(self, feed: Feed, missed: int) -> Frame:
        self._queue_news.tell_soon()
        overview = self._overview(feed.interest)
        return self._log.aside("status_update", {**overview, "missed": missed} if missed else overview)

    # What clients are told

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(*TOLD, capacity=4096) as subscription:
            task_status.started()
            missed = 0
            async for event in subscription:
                if subscription.missed > missed:
                    self._skip_all(subscription.missed - missed)
                    missed = subscription.missed
                self._hear(event)

    def _hear(self, event: object) -> None:
        if isinstance(event, SessionChanged):
            self._known = True
            self._changes += 1
            self._mark_changed()
        elif isinstance(event, JobProcessed):
            self._dashboard.read_soon()
        if self._narrator.may_wait(event):
            self._turns.put(event)
            self._waiting.set()
            return
        if isinstance(event, SessionEvent):
            # In order with what the session told before.
            self._narrate(self._turns.of(event.session_id))
        self._narrate((event,))

    def _mark_changed(self) -> None:
        self._changed.set()

    def _narrate(self, events: Iterable[object]) -> None:
        for event in events:
            for told in self._narrator.tell(event):
                self._tell(told.type, told.data, told.timestamp, told.session)

    async def _take_turns(self) -> None:
        """Tell what sessions repeat: at once of those that clients chose, of others a few in each tick."""
        while True:
            await self._waiting.wait()
            await trio.sleep(TICK)
            chosen = {session for feed in self._feeds for session in feed.interest.sessions or ()}
            self._narrate(self._turns.take(TURNS, chosen))
            if not self._turns:
                self._waiting = trio.Event()

    async def _report(self) -> None:
        """Send ``status_update``: soon after changes, and at least once per interval."""
        told = trio.current_time()
        while True:
            with trio.move_on_at(told + self._settings.status_interval_seconds) as quiet:
                await self._changed.wait()
                # What comes with the first change is told along with it.
                await trio.sleep_until(max(trio.current_time() + TICK, told + STATUS_PAUSE))
            if quiet.cancelled_caught or self._doubtful:
                await self._ask_roster()
            self._changed = trio.Event()
            self._forget_gone()
            self._tell("status_update", self._status())
            told = trio.current_time()

    def _tell(
        self, kind: str, data: Json, timestamp: datetime | None = None, session: UUID | None = None
    ) -> None:
        frame = self._log.append(kind, data, timestamp, session=session)
        for feed in self._feeds:
            feed.offer(frame)

    def _skip_all(self, missed: int) -> None:
        self._doubtful = True
        for feed in self._feeds:
            feed.skip(missed)

    # How things stand

    def _status(self) -> Json:
        status: Json = {"timestamp": iso(datetime.now(UTC))}
        if self._known:
            sessions = self._narrator.sessions
            status["bot_status"] = bot_status(next(iter(sessions.values()), None))
            # The record may lag behind, and may not be there to be read.
            status["dashboard_metrics"] = {**self._dashboard.metrics, "active_sessions": len(sessions)}
        return status

    def _overview(self, interest: Interest) -> Json:
        """The status, and each session that a client is told of."""
        status = self._status()
        if self._known:
            status["sessions"] = [
                bot_status(session)
                for session in self._narrator.sessions.values()
                if interest.wants(Topic.SESSIONS, session.id)
            ]
        return status

    async def _ask_roster(self) -> None:
        """Learn how things stand; what is known is kept where the session_controller is away."""
        changes = self._changes
        try:
            view = await self._session_controller.ask(SessionsViewQuery(), timeout=CONTROLLER_TIMEOUT)
        except AskFailed:
            return
        # An event that arrived meanwhile may be newer than the answer.
        if changes == self._changes:
            self._known = True
            self._doubtful = False
            self._narrator.learn(view.sessions)
