"""The WebSocket route ``/ws``: each client has a task that reads, a task that writes, and a close code.

Clients send JSON objects with a ``type``: ``ping``, ``subscribe`` or ``unsubscribe``.
"""

from __future__ import annotations

import json
from typing import Final, cast

import trio
from quart import Blueprint, websocket

from ..api.addresses import ActorAddresses
from ..api.documented import documented_query
from ..api.serializers import Json
from ..errors import Problem
from ..server.connection import FrameSender, frame_sender_of
from .feed import Feed
from .frames import encode
from .hub import Attach
from .subscriptions import LiveQuery, parse_interest, parse_position, subscribe, unsubscribe

ASK_TIMEOUT: Final = 5.0

GOING_AWAY: Final = (1001, "the server is stopping")
NOT_TEXT: Final = (1003, "only text messages are supported")
RESTARTING: Final = (1012, "the live feed is restarting")


def live_blueprint(actors: ActorAddresses, closing: trio.Event) -> Blueprint:
    """Build the WebSocket route; ``closing`` is set when the server is about to stop."""
    blueprint = Blueprint("live", __name__)

    @blueprint.websocket("/ws")
    @documented_query(LiveQuery)
    async def live() -> None:
        resume = parse_position(websocket.args.get("since"))
        with Feed(resume=resume, interest=parse_interest(websocket.args)) as feed:
            # Before the handshake ends, so that a refused client gets an HTTP status.
            await actors.hub.ask(Attach(feed=feed), timeout=ASK_TIMEOUT)
            # Quart's own annotation has a bare dict in it.
            await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
            await LiveClient(feed, frame_sender_of(websocket.scope)).serve(closing)

    return blueprint


class LiveClient:
    """One connected client."""

    def __init__(self, feed: Feed, sender: FrameSender) -> None:
        self._feed = feed
        self._sender = sender
        self._close_reason = RESTARTING
        self._scope = trio.CancelScope()

    async def serve(self, closing: trio.Event) -> None:
        """Send the frames of the feed and reply to the client, until the server stops or either ends.

        When the client leaves, its connection cancels this.
        """
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            nursery.start_soon(self._read)
            nursery.start_soon(self._await_stop, closing)
            while (frames := await self._feed.next_batch()) is not None:
                await self._sender.send_frames(frames)
            self._end(RESTARTING)
        await websocket.close(*self._close_reason)

    async def _read(self) -> None:
        while True:
            # Quart returns an empty binary message as None.
            message = cast("str | bytes | None", await websocket.receive())
            if not isinstance(message, str):
                self._end(NOT_TEXT)
                return
            # Sent here, not through the feed: a client with many requests waits for its own replies.
            await self._reply(message)

    async def _reply(self, text: str) -> None:
        message = _parse(text)
        kind = message.get("type")
        match kind:
            case "ping":
                await self._send("pong", {})
            case "subscribe" | "unsubscribe":
                change = subscribe if kind == "subscribe" else unsubscribe
                try:
                    interest = change(self._feed.interest, message)
                except Problem as problem:
                    await self._send("error", {"message": problem.detail})
                else:
                    self._feed.change_interest(interest)
                    await self._send("subscribed", interest.as_json())
            case str():
                await self._send("error", {"message": f"Unknown message type {kind[:60]!r}."})
            case _:
                await self._send(
                    "error", {"message": 'A message must be a JSON object with a string "type".'}
                )

    async def _send(self, kind: str, data: Json) -> None:
        await self._sender.send_frames(encode(kind, data, self._feed.position).encoded)

    async def _await_stop(self, closing: trio.Event) -> None:
        await closing.wait()
        self._end(GOING_AWAY)

    def _end(self, reason: tuple[int, str]) -> None:
        self._close_reason = reason
        self._scope.cancel()


def _parse(text: str) -> dict[str, object]:
    """Parse a JSON object; anything else is an empty object."""
    try:
        message: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", message) if isinstance(message, dict) else {}
