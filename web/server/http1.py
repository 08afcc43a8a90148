"""Hypercorn's HTTP/1.1 and WebSocket protocol, with the changes that this server needs."""

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

MAX_MESSAGE_BYTES: Final = 65_536
"""Size of a WebSocket message."""


class Http1(H11Protocol):
    """Hypercorn's HTTP/1.1 and WebSocket protocol, without upgrades to HTTP/2."""

    async def _check_protocol(self, event: H11Request) -> None:
        """Stay with HTTP/1.1: HTTP/2 in clear text has no clients, and more ways to be flooded."""

    async def stream_send(self, event: StreamEvent) -> None:
        """Add ``connection: close`` to a response that is sent before the whole request has arrived.

        The server does not wait for the rest of the request. Without the header,
        the client would send its next request on a closing connection.
        """
        early = isinstance(self.connection, H11Connection) and self.connection.their_state is SEND_BODY
        if early and isinstance(event, Response) and event.status_code >= 200:
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        await super().stream_send(event)

    @property
    def refused(self) -> bool:
        """Whether the server has rejected data on a WebSocket and must stop reading.

        Hypercorn would collect the rest of a message that is too large for as long
        as the client sends it, and does not report to the app that a client sent
        bytes before the handshake was complete.
        """
        stream = self.stream
        if not isinstance(stream, WSStream):
            return False
        accepted = stream.handshake.accepted
        return stream.closed or (accepted and stream.connection.state is WebSocketState.LOCAL_CLOSING)


def make_config() -> Config:
    """Return the configuration of Hypercorn's protocol code."""
    config = Config()
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_max_requests = 100_000
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    return config
