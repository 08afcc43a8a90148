"""The addresses through which the front end reaches the house; it knows nothing else of the tree."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Whom a request may ask."""

    session_controller: Address[ControllerMessage]
    """Starts and stops sessions, and knows them from memory."""
    reader: Address[Query]
    """Reads the record."""
    writer: Address[Write]
    """Writes to the record."""
    queue: Address[QueueMessage]
    """Takes tasks, and knows them."""
    screenshot_store: Address[ScreenshotMessage]
    """Keeps what sessions took pictures of."""
    mirror: Address[MirrorMessage]
    """Compares Redis with the record, and repairs it."""
    monitor: Address[MonitorMessage]
    """Knows how the services are."""
    tree: Address[SupervisorMessage]
    """The root supervisor."""
    hub: Address[HubMessage]
    """Feeds the WebSocket clients."""
    bus: Bus
    """Where the house hears of what is no order to anybody."""
