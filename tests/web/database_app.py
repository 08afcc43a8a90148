"""The web server on a real database, with no other actors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Never

import httpx

from runtime import Address, Bus, ChildSpec, SupervisorSpec, open_system
from web.api.addresses import ActorAddresses
from web.server.web_server import WebServer

from ..actors.database.harness import DatabaseHarness, open_harness
from ..builders import web_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseApp:
    """A client, the database and the bus of the served application."""

    http: httpx.AsyncClient
    record: DatabaseHarness
    bus: Bus


@asynccontextmanager
async def serving_database(dsn: str) -> AsyncGenerator[DatabaseApp, None]:
    """Serve the database on a real socket."""
    bus, urls = Bus(), list[str]()
    async with open_harness(dsn, bus=bus) as record:
        actors = ActorAddresses(
            session_controller=Address("session_controller"),
            reader=record.reader,
            writer=record.writer,
            queue=Address("task_queue"),
            screenshot_store=Address("screenshot_store"),
            mirror=Address("redis_sync"),
            monitor=Address("health_registry"),
            tree=Address("botvisor"),
            hub=Address("hub"),
            bus=bus,
        )
        server = ChildSpec(
            address=Address[Never]("server"),
            start=lambda: WebServer(actors, web_settings(), on_listening=urls.append),
        )
        async with (
            open_system(SupervisorSpec(address=Address("web"), children=(server,))),
            httpx.AsyncClient(trust_env=False, timeout=10) as http,
        ):
            http.base_url = urls[-1]
            yield DatabaseApp(http=http, record=record, bus=bus)
