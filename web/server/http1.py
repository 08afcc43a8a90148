"""Hypercorn's protocol code as this server uses it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from h11 import SEND_BODY
from h11 import Connection as H11Connection
from h11 import Request as H11Request
from hypercorn.config import Config
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Response
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from wsproto.connection import ConnectionState as WebSocketState

MAX_MESSAGE: Final = 65_536
"""Bytes of a WebSocket message."""


class Http1(H11Protocol):
    """Hypercorn's HTTP/1.1 and WebSocket protocol, and nothing but that."""

    async def _check_protocol(self, event: H11Request) -> None:
        """Stay with HTTP/1.1: in clear text HTTP/2 has no clients, and ways of its own to be flooded."""

    async def stream_send(self, event: StreamEvent) -> None:
        """Say with an answer that comes before the whole request did that the connection ends with it.

        What is left of the request is not waited for; a client that is not told
        sends its next one into a connection that is about to be closed.
        """
        early = isinstance(self.connection, H11Connection) and self.connection.their_state is SEND_BODY
        if early and isinstance(event, Response) and event.status_code >= 200:
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        await super().stream_send(event)

    @property
    def refused(self) -> bool:
        """Whether the server refused what came over a WebSocket, and wants no more of it.

        Hypercorn goes on collecting the rest of a message that is too large
        for as long as the client sends it, and never tells the app of a client
        that sent bytes before the handshake was answered.
        """
        stream = self.stream
        if not isinstance(stream, WSStream):
            return False
        accepted = stream.handshake.accepted
        return stream.closed or (accepted and stream.connection.state is WebSocketState.LOCAL_CLOSING)


def config_of() -> Config:
    """What Hypercorn's protocol code wants to know."""
    config = Config()
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_max_requests = 100_000
    config.websocket_max_message_size = MAX_MESSAGE
    return config
