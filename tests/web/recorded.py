"""A front end on a real record: PostgreSQL, its writer and its reader, and nothing else behind the doors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never

import httpx

from runtime import Address, Bus, ChildSpec, SupervisorSpec, open_system
from web.api.addresses import ActorAddresses
from web.server.web_server import WebServer

from ..actors.database.records import Record, open_record
from .parts.views import web_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a test asks, and where it looks at what came of it."""

    http: httpx.AsyncClient
    record: Record
    bus: Bus


@asynccontextmanager
async def recorded(dsn: str) -> AsyncGenerator[Recorded, None]:
    """Serve the record on a real socket."""
    bus, urls = Bus(), list[str]()
    async with open_record(dsn, bus=bus) as record:
        doors = ActorAddresses(
            session_controller=Address("session_controller"),
            reader=record.reader,
            writer=record.writer,
            queue=Address("task_queue"),
            screenshot_store=Address("screenshot_store"),
            mirror=Address("redis_sync"),
            monitor=Address("board"),
            tree=Address("botvisor"),
            hub=Address("hub"),
            bus=bus,
        )
        server = ChildSpec(
            address=Address[Never]("server"),
            start=lambda: WebServer(doors, web_settings(), on_listening=urls.append),
        )
        async with (
            open_system(SupervisorSpec(address=Address("web"), children=(server,))),
            httpx.AsyncClient(trust_env=False, timeout=10) as http,
        ):
            http.base_url = urls[-1]
            yield Recorded(http=http, record=record, bus=bus)
