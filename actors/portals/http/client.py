"""How a portal is reached over plain HTTP, by who works there and by who looks whether it is there."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Final

import httpx

# A proxy from the environment is for the world outside, never for a portal on this machine.
_LOOPBACK: Final[dict[str, None]] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
_NO_LIMITS: Final = httpx.Limits()


def http_client(user_agent: str, limits: httpx.Limits = _NO_LIMITS) -> httpx.AsyncClient:
    """Return a client with cookies of its own; use it as a context manager, which closes its connections.

    It waits for as long as it is let: httpx's own timeouts start afresh with every piece of an answer.
    """
    return httpx.AsyncClient(
        verify=_tls(), mounts=_LOOPBACK, limits=limits, headers={"User-Agent": user_agent}, timeout=None
    )


@cache
def _tls() -> ssl.SSLContext:
    """Share one context among all clients: each takes long to make and holds every root certificate."""
    return httpx.create_ssl_context()
