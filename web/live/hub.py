"""Publishes events of the bus to all WebSocket clients; each message is encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID, uuid4

import trio

from actors.analytics.events import AnalyticsUpdated
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.messages import Query
from actors.monitor.messages import ServiceChanged
from actors.queue.messages import QueueMessage
from actors.sessions.events import JobProcessed, SessionChanged, SessionEvent
from actors.sessions.messages import ControllerMessage, SessionsViewQuery
from actors.settings import WebSettings
from runtime import Actor, Address, AskFailed, Bus, Exit, LifecycleEvent, Refusal, Request

from ..api.analytics.dashboard import DashboardReader
from ..api.bot.responses import bot_status
from ..api.realtime.events import RealtimeUpdate
from ..api.serializers import Json, iso
from .coalescing import EventCoalescer
from .feed import Feed
from .frames import Frame, FrameLog, encode
from .messages import Translation
from .queue_stats_publisher import QueueStatsPublisher
from .topics import Interest, Topic
from .translator import EventTranslator

TICK: Final = 0.1
"""Seconds; repeated events of a session within a tick are published once."""
SESSIONS_PER_TICK: Final = 4
"""Sessions whose repeated events are published in one tick."""
STATUS_MIN_INTERVAL: Final = 1.0
"""Seconds between two ``status_update`` while sessions change."""
HISTORY: Final = 1000
"""Frames of each topic kept for clients that reconnect."""
SNAPSHOT_LIFETIME: Final = 1.0
"""Seconds for which new clients share a snapshot; each also gets the frames after it."""
CONTROLLER_TIMEOUT: Final = 2.0

PUBLISHED_EVENTS: Final = (
    SessionEvent,
    LifecycleEvent,
    ServiceChanged,
    ConfigurationChanged,
    ConfigurationRefreshRequested,
    AnalyticsUpdated,
    RealtimeUpdate,
)
"""Events with WebSocket messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Request[None]):
    """Fill a feed until its client leaves. Refused with :class:`TooManyClients`."""

    feed: Feed


class TooManyClients(Refusal):
    """``web.max_clients`` WebSocket clients are connected."""


HubMessage: TypeAlias = Attach


class LiveHub(Actor[HubMessage]):
    """Numbers and encodes messages, and appends them to the feeds of all clients.

    Each life of the hub is an epoch. A client that reconnects with the number of
    its last frame of this epoch gets the frames after it if they are kept, and a
    snapshot otherwise.
    """

    def __init__(
        self,
        bus: Bus,
        settings: WebSettings,
        *,
        session_controller: Address[ControllerMessage],
        queue: Address[QueueMessage],
        reader: Address[Query],
        translations: Mapping[type[object], Translation] | None = None,
    ) -> None:
        """Make a hub without clients; ``translations`` are those of events of plugins, by class."""
        self._bus = bus
        self._translations = translations or {}
        self._session_controller = session_controller
        self._settings = settings
        self._log = FrameLog(uuid4().hex, length=HISTORY)
        self._feeds: set[Feed] = set()
        self._translator = EventTranslator(self._translations)
        self._sessions_known = False
        """Whether the state of the sessions has been received."""
        self._events_missed = False
        """Whether events were missed since the last query; one may have been a session's end."""
        self._coalescer = EventCoalescer()
        self._coalesced = trio.Event()
        """Set while the coalescer has events."""
        self._changed = trio.Event()
        self._changes = 0
        self._snapshot: tuple[float, Frame] | None = None
        has_clients = lambda: bool(self._feeds)  # noqa: E731 - used twice
        self._queue_stats = QueueStatsPublisher(
            bus, queue, publish=partial(self._publish, "queue_update"), is_needed=has_clients
        )
        self._dashboard = DashboardReader(
            reader,
            interval=settings.status_interval_seconds,
            on_change=self._mark_changed,
            is_needed=has_clients,
        )

    async def started(self) -> None:
        await self.context.nursery.start(self._listen)
        await self.context.nursery.start(self._queue_stats.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._query_sessions)
            nursery.start_soon(self._dashboard.read)
        self.context.nursery.start_soon(self._dashboard.run)
        self.context.nursery.start_soon(self._flush_coalesced)
        self.context.nursery.start_soon(self._publish_status)

    async def handle(self, message: HubMessage) -> None:
        self._drop_closed_feeds()
        if len(self._feeds) >= self._settings.max_clients:
            connected = f"{len(self._feeds)} WebSocket clients are connected"
            raise TooManyClients(f"{connected}, as many as web.max_clients allows")
        self._attach(message.feed)

    async def stopped(self, reason: Exit) -> None:
        for feed in self._feeds:
            feed.end()

    # Clients

    def _attach(self, feed: Feed) -> None:
        missed = None if feed.resume is None else self._log.since(feed.resume, feed.interest)
        if feed.resume is not None and missed is not None:
            # The missed frames follow the number that the client knows.
            position, first = feed.resume, missed
        else:
            first = [*self._snapshot_frames(feed.interest), *self._queue_frames(feed.interest)]
            position = replace(self._log.position, seq=first[0].seq)
        hello: Json = {
            "message": "Connected to botvisor",
            "client_id": str(uuid4()),
            "seq": position.seq,
            "epoch": position.epoch,
            "resumed": missed is not None,
            "gap": feed.resume is not None and missed is None,
            **feed.interest.as_json(),
        }
        feed.start(
            position.epoch, [encode("connection_established", hello, position), *first], self._make_snapshot
        )
        self._feeds.add(feed)
        if self._queue_stats.latest is None:
            self._queue_stats.request_publish()
        self._dashboard.request_refresh()
        self.context.detail["clients"] = len(self._feeds)

    def _drop_closed_feeds(self) -> None:
        self._feeds = {feed for feed in self._feeds if not feed.closed}
        self.context.detail["clients"] = len(self._feeds)

    def _snapshot_frames(self, interest: Interest) -> list[Frame]:
        """Return a snapshot and the frames after it; clients that connect at the same time share one."""
        if interest.sessions is not None:
            return [self._log.encode_unnumbered("status_update", self._status_with_sessions(interest))]
        if self._snapshot is not None:
            made, frame = self._snapshot
            following = self._log.since(replace(self._log.position, seq=frame.seq), interest)
            if following is not None and trio.current_time() < made + SNAPSHOT_LIFETIME:
                return [frame, *following]
        frame = self._log.encode_unnumbered("status_update", self._status_with_sessions(interest))
        self._snapshot = trio.current_time(), frame
        return [frame]

    def _queue_frames(self, interest: Interest) -> list[Frame]:
        """Return the last counts of the queue, so that they are not published to all clients again."""
        counts = self._queue_stats.latest
        if counts is None or not interest.includes(Topic.QUEUE, None):
            return []
        return [self._log.encode_unnumbered("queue_update", counts)]

    def _make_snapshot(self, feed: Feed, missed: int) -> Frame:
        self._queue_stats.request_publish()
        status = self._status_with_sessions(feed.interest)
        return self._log.encode_unnumbered(
            "status_update", {**status, "missed": missed} if missed else status
        )

    # Publishing

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(*PUBLISHED_EVENTS, *self._translations, capacity=4096) as subscription:
            task_status.started()
            missed = 0
            async for event in subscription:
                if subscription.missed > missed:
                    self._skip_all(subscription.missed - missed)
                    missed = subscription.missed
                self._handle_event(event)

    def _handle_event(self, event: object) -> None:
        if isinstance(event, SessionChanged):
            self._sessions_known = True
            self._changes += 1
            self._mark_changed()
        elif isinstance(event, JobProcessed):
            self._dashboard.request_refresh()
        if self._translator.is_coalescible(event):
            self._coalescer.add(event)
            self._coalesced.set()
            return
        if isinstance(event, SessionEvent):
            # Keep the order of the session's events.
            self._publish_all(self._coalescer.flush(event.session_id))
        self._publish_all((event,))

    def _mark_changed(self) -> None:
        self._changed.set()

    def _publish_all(self, events: Iterable[object]) -> None:
        for event in events:
            for message in self._translator.translate(event):
                self._publish(message.type, message.data, message.timestamp, message.session, message.topic)

    async def _flush_coalesced(self) -> None:
        """Publish coalesced events each tick: of all sessions that clients chose, and of a few others."""
        while True:
            await self._coalesced.wait()
            await trio.sleep(TICK)
            chosen = {session for feed in self._feeds for session in feed.interest.sessions or ()}
            self._publish_all(self._coalescer.flush_next(SESSIONS_PER_TICK, chosen))
            if not self._coalescer:
                self._coalesced = trio.Event()

    async def _publish_status(self) -> None:
        """Publish ``status_update`` soon after changes, and at least once per interval."""
        last = trio.current_time()
        while True:
            with trio.move_on_at(last + self._settings.status_interval_seconds) as quiet:
                await self._changed.wait()
                # Publish changes that follow the first one at once along with it.
                await trio.sleep_until(max(trio.current_time() + TICK, last + STATUS_MIN_INTERVAL))
            if quiet.cancelled_caught or self._events_missed:
                await self._query_sessions()
            self._changed = trio.Event()
            self._drop_closed_feeds()
            self._publish("status_update", self._status())
            last = trio.current_time()

    def _publish(
        self,
        kind: str,
        data: Json,
        timestamp: datetime | None = None,
        session: UUID | None = None,
        topic: Topic | None = None,
    ) -> None:
        frame = self._log.append(kind, data, timestamp, session=session, topic=topic)
        for feed in self._feeds:
            feed.append(frame)

    def _skip_all(self, missed: int) -> None:
        self._events_missed = True
        for feed in self._feeds:
            feed.skip(missed)

    # The state of the sessions

    def _status(self) -> Json:
        status: Json = {"timestamp": iso(datetime.now(UTC))}
        if self._sessions_known:
            sessions = self._translator.sessions
            status["bot_status"] = bot_status(next(iter(sessions.values()), None))
            # The database may lag behind or be unavailable.
            status["dashboard_metrics"] = {**self._dashboard.metrics, "active_sessions": len(sessions)}
        return status

    def _status_with_sessions(self, interest: Interest) -> Json:
        """Return the status with each session that ``interest`` includes."""
        status = self._status()
        if self._sessions_known:
            status["sessions"] = [
                bot_status(session)
                for session in self._translator.sessions.values()
                if interest.includes(Topic.SESSIONS, session.id)
            ]
        return status

    async def _query_sessions(self) -> None:
        """Query the state of all sessions; on failure the known state stays."""
        changes = self._changes
        try:
            view = await self._session_controller.ask(SessionsViewQuery(), timeout=CONTROLLER_TIMEOUT)
        except AskFailed:
            return
        # An event that arrived meanwhile may be newer than the reply.
        if changes == self._changes:
            self._sessions_known = True
            self._events_missed = False
            self._translator.replace_sessions(view.sessions)
