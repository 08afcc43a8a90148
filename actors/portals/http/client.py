"""Creates HTTP clients for portals, for the http engine and for health checks."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Final

import httpx

# Proxies from the environment do not apply to portals on this machine.
_LOOPBACK: Final[dict[str, None]] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
_NO_LIMITS: Final = httpx.Limits()


def http_client(user_agent: str, limits: httpx.Limits = _NO_LIMITS) -> httpx.AsyncClient:
    """Return a client with cookies of its own; use it as a context manager, which closes its connections.

    It has no timeout, because httpx restarts its timeouts with every chunk of a response. Callers set a
    deadline.
    """
    return httpx.AsyncClient(
        verify=_tls(), mounts=_LOOPBACK, limits=limits, headers={"User-Agent": user_agent}, timeout=None
    )


@cache
def _tls() -> ssl.SSLContext:
    """Return one context for all clients: creating one is slow, and each holds all root certificates."""
    return httpx.create_ssl_context()
