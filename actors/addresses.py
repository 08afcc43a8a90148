"""The addresses of botvisor's own actors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime import Address, SupervisorMessage

from .database.journal.messages import JournalMessage
from .database.messages import Query, Write
from .mirror.messages import MirrorMessage
from .monitor.messages import CheckNow, MonitorMessage
from .monitor.status import ServiceName
from .portals.browser.browser_host import BrowserQuery
from .queue.messages import QueueMessage
from .sessions.messages import ControllerMessage
from .sessions.screenshots.messages import ScreenshotMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeAddresses:
    """Every mailbox that another actor or the front end writes to; made before the first actor starts."""

    root: Address[SupervisorMessage] = field(default_factory=lambda: Address("botvisor"))
    db_writer: Address[Write] = field(default_factory=lambda: Address("db_writer", capacity=1000))
    db_reader: Address[Query] = field(default_factory=lambda: Address("db_reader", capacity=256))
    journal: Address[JournalMessage] = field(default_factory=lambda: Address("journal", capacity=1000))
    redis_sync: Address[MirrorMessage] = field(default_factory=lambda: Address("redis_sync"))
    probes: Mapping[ServiceName, Address[CheckNow]] = field(
        default_factory=lambda: {name: Address(f"probe.{name}") for name in ServiceName}
    )
    health_registry: Address[MonitorMessage] = field(
        default_factory=lambda: Address("health_registry", capacity=256)
    )
    task_queue: Address[QueueMessage] = field(default_factory=lambda: Address("task_queue", capacity=1000))
    browser_host: Address[BrowserQuery] = field(default_factory=lambda: Address("browser_host"))
    session_controller: Address[ControllerMessage] = field(
        default_factory=lambda: Address("session_controller", capacity=256)
    )
    fleet: Address[SupervisorMessage] = field(default_factory=lambda: Address("fleet"))
    screenshot_store: Address[ScreenshotMessage] = field(
        default_factory=lambda: Address("screenshot_store", capacity=64)
    )
