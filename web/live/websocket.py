"""``/ws``: one client's WebSocket, with a task that reads, a task that writes, and a word at the end."""

from __future__ import annotations

import json
from typing import Final, cast

import trio
from quart import Blueprint, websocket

from ..api.addresses import ActorAddresses
from ..api.documented import documented_query
from ..api.serializers import Json
from ..errors import Problem
from ..page.models import LiveQuery
from ..server.connection import Pipe, pipe_of
from .feed import Feed
from .frames import encode
from .hub import Attach
from .subscriptions import interest_of, position_of, subscribed, unsubscribed

ASK_TIMEOUT: Final = 5.0

GOING_AWAY: Final = (1001, "the server is stopping")
NOT_TEXT: Final = (1003, "only text is understood here")
COME_BACK: Final = (1012, "the live feed starts anew")


def live_blueprint(doors: ActorAddresses, closing: trio.Event) -> Blueprint:
    """The WebSocket route; ``closing`` says that the server is about to stop."""
    blueprint = Blueprint("live", __name__)

    @blueprint.websocket("/ws")
    @documented_query(LiveQuery)
    async def live() -> None:
        resume = position_of(websocket.args.get("since"))
        with Feed(resume=resume, interest=interest_of(websocket.args)) as feed:
            # Refused before the handshake ends, so that the client gets an HTTP status.
            await doors.hub.ask(Attach(feed=feed), timeout=ASK_TIMEOUT)
            # Quart's own annotation has a bare dict in it.
            await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
            await LiveClient(feed, pipe_of(websocket.scope)).serve(closing)

    return blueprint


class LiveClient:
    """One connected client, from its first frame to its last."""

    def __init__(self, feed: Feed, pipe: Pipe) -> None:
        self._feed = feed
        self._pipe = pipe
        self._farewell = COME_BACK
        self._scope = trio.CancelScope()

    async def serve(self, closing: trio.Event) -> None:
        """Send what the feed has and answer what the client says, until one of the three ends it.

        A client that leaves cancels this from outside.
        """
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            nursery.start_soon(self._read)
            nursery.start_soon(self._await_stop, closing)
            while (frames := await self._feed.take()) is not None:
                await self._pipe.send_frames(frames)
            self._end(COME_BACK)
        await websocket.close(*self._farewell)

    async def _read(self) -> None:
        while True:
            # Quart hands an empty binary message over as None.
            message = cast("str | bytes | None", await websocket.receive())
            if not isinstance(message, str):
                self._end(NOT_TEXT)
                return
            # Sent from here, not through the feed: who asks much waits for its own answers.
            await self._answer(message)

    async def _answer(self, message: str) -> None:
        said = _parse(message)
        kind = said.get("type")
        match kind:
            case "ping":
                await self._say("pong", {})
            case "subscribe" | "unsubscribe":
                change = subscribed if kind == "subscribe" else unsubscribed
                try:
                    interest = change(self._feed.interest, said)
                except Problem as problem:
                    await self._say("error", {"message": problem.detail})
                else:
                    self._feed.turn_to(interest)
                    await self._say("subscribed", interest.described())
            case str():
                await self._say("error", {"message": f"messages of type {kind[:60]!r} are not known here"})
            case _:
                await self._say("error", {"message": 'a message must be a JSON object with a text as "type"'})

    async def _say(self, kind: str, data: Json) -> None:
        await self._pipe.send_frames(encode(kind, data, self._feed.position).wire)

    async def _await_stop(self, closing: trio.Event) -> None:
        await closing.wait()
        self._end(GOING_AWAY)

    def _end(self, farewell: tuple[int, str]) -> None:
        self._farewell = farewell
        self._scope.cancel()


def _parse(message: str) -> dict[str, object]:
    """A JSON object, or an empty one where it is something else."""
    try:
        said: object = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", said) if isinstance(said, dict) else {}
