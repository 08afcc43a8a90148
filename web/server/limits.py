"""Time limits of a client connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits in seconds."""

    idle: float = 10.0
    """To send the head of the next request."""
    ping_interval: float = 20.0
    """Between the pong of a WebSocket and the next ping."""
    ping_timeout: float = 20.0
    """To reply to a ping."""
    send: float = 5.0
    """To receive what the server sends."""
    linger: float = 1.0
    """To end the connection after the last byte of the server. Further data is read and discarded: closing
    at once would reset the connection, and the client might never read the response."""
    stop: float = 2.0
    """To finish current requests when the server stops."""
