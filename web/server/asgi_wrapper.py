"""Wraps the ASGI app of a connection: each send is a checkpoint, and responses reach the response cache."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.typing import AppWrapper, ASGIFramework, ASGIReceiveCallable, ASGISendEvent, Scope

from .connection import connection_of


def wrap_app(app: ASGIFramework) -> AppWrapper:
    """Wrap the app so that each send is a checkpoint, and the connection sees responses and WebSockets.

    Hypercorn returns at once from a send to a client that has left. A handler
    that loops on sends would never yield and would block the whole process.
    """

    async def run(
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: Callable[[ASGISendEvent], Awaitable[None]],
        sync_spawn: Callable[..., Any],
        call_soon: Callable[..., Any],
    ) -> None:
        async def send_and_yield(event: ASGISendEvent) -> None:
            await trio.lowlevel.checkpoint()
            if event["type"] == "http.response.start":
                connection_of(scope).record_response(scope, event["status"], event["headers"])
            await send(event)
            if event["type"] == "websocket.accept":
                connection_of(scope).start_heartbeat()

        await app(scope, receive, send_and_yield)

    return run
