"""The actors that the front end talks to; it knows nothing else of the tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.capability import SharedObjects
from actors.database.messages import Query, Write
from actors.mirror.messages import MirrorMessage
from actors.monitor.messages import MonitorMessage
from actors.queue.messages import QueueMessage
from actors.sessions.messages import ControllerMessage
from actors.sessions.screenshots.messages import ScreenshotMessage
from runtime import Address, Bus, SupervisorMessage

from ..live.hub import HubMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorAddresses:
    """The addresses that a request may send messages to."""

    session_controller: Address[ControllerMessage]
    """Starts and stops sessions, and knows those of this instance."""
    reader: Address[Query]
    """Reads the database."""
    writer: Address[Write]
    """Writes to the database."""
    queue: Address[QueueMessage]
    """The task queue."""
    screenshot_store: Address[ScreenshotMessage]
    """Stores the screenshots of sessions."""
    mirror: Address[MirrorMessage]
    """Compares Redis with the database, and repairs it."""
    monitor: Address[MonitorMessage]
    """The health of the services."""
    tree: Address[SupervisorMessage]
    """The root supervisor."""
    hub: Address[HubMessage]
    """Sends events to the WebSocket clients."""
    bus: Bus
    """The event bus."""
    shared: SharedObjects = field(default_factory=lambda: SharedObjects(()))
    """What the capabilities of plugins share with their routes."""
