"""How long a client may take for each thing that it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds that a client may take."""

    idle: float = 10.0
    """To send a request's head, also between two requests."""
    ping_interval: float = 20.0
    """Between a WebSocket's answer to a ping and the next ping."""
    ping_timeout: float = 20.0
    """To answer a ping."""
    send: float = 5.0
    """To take what is sent to it."""
    linger: float = 1.0
    """To end the connection after the last byte to it. What it still sends is read, and thrown away:
    to close at once would reset the connection, and the client might never read our answer."""
    stop: float = 2.0
    """To end what is under way when the server stops."""
