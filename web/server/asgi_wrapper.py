"""The app as a connection runs it: it cannot spin on a client that left, and its answers are seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.typing import AppWrapper, ASGIFramework, ASGIReceiveCallable, ASGISendEvent, Scope

from .connection import connection_of


def wrapped(app: ASGIFramework) -> AppWrapper:
    """Wrap the app so that each of its sends is a checkpoint, and its answers and WebSockets are seen.

    Hypercorn returns at once from a send to a client that left. A handler
    that loops on sends would never let go, and with it the whole process.
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
                connection_of(scope).note_answer(scope, event["status"], event["headers"])
            await send(event)
            if event["type"] == "websocket.accept":
                connection_of(scope).watch()

        await app(scope, receive, send_and_yield)

    return run
