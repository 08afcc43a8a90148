"""Authorises requests: checks the token if one is set, the origin, and the host name.

A browser lets any page send requests to any address, also to one on loopback.
So a request that changes something, and every WebSocket, must come from a page
of this server or of an allowed origin; and on loopback the ``Host`` header must
name this machine, or a foreign name that was pointed at 127.0.0.1 (DNS
rebinding) would make another site's page look like ours.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from quart import Request, Response, Websocket, redirect, request, websocket
from quart_trio import QuartTrio
from werkzeug.wrappers import Response as WerkzeugResponse

from actors.settings import WebSettings, is_loopback

from ..errors import Problem

COOKIE: Final = "botvisor_token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key"
OPEN_PATHS: Final = ("/livez", "/readyz", "/startupz", "/static/")
"""Paths without a token check: process probes and the page's files, which hold no secrets."""

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RequestAuth:
    """Checks the headers of each request and WebSocket handshake."""

    def __init__(self, settings: WebSettings) -> None:
        self._token = settings.token.get_secret_value()
        # The token itself stays out of the browser's cookie store.
        self._cookie = hmac.new(self._token.encode(), b"botvisor cookie", hashlib.sha256).hexdigest()
        self._origins = frozenset(origin.casefold() for origin in settings.allowed_origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._loopback = is_loopback(settings.host)

    def install(self, app: QuartTrio) -> None:
        """Run before every route of the app, and add the security headers after it."""
        app.before_request(self._check_request)
        app.before_websocket(self._check_websocket)
        app.after_request(self._add_headers)

    # Checks

    def check_host(self, host: str) -> None:
        """Reject a host name that is not this machine's, if the server listens on loopback.

        Raises:
            Problem: 403.
        """
        # A client without a Host header is not a browser.
        if self._loopback and host and not is_loopback(_hostname(host)) and host not in self._hosts:
            raise Problem(403, "foreign_host", "Host name not allowed; use the name of this machine.")

    def check_origin(self, origin: str | None, host: str) -> None:
        """Reject a request sent by a page of another site.

        Raises:
            Problem: 403.
        """
        if origin is not None and not self.is_allowed(origin) and urlsplit(origin).netloc.casefold() != host:
            raise Problem(403, "foreign_origin", "Origin not allowed; add it to web.allowed_origins.")

    def check_token(self, client: Request | Websocket) -> None:
        """Reject a request without the token, in a header or the cookie.

        Raises:
            Problem: 401.
        """
        if not self._token:
            return
        scheme, _, bearer = client.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self.is_token(bearer.strip()):
            return
        if hmac.compare_digest(client.cookies.get(COOKIE, "").encode(), self._cookie.encode()):
            return
        raise Problem(
            401,
            "token_required",
            "A token is required: send it as 'Authorization: Bearer ...', or open the page with ?token=...",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def is_token(self, text: str) -> bool:
        """Compare with the token in constant time."""
        return hmac.compare_digest(text.encode(), self._token.encode())

    def is_allowed(self, origin: str) -> bool:
        """Whether the settings allow the origin."""
        return origin.casefold() in self._origins

    # Hooks

    async def _check_request(self) -> Response | WerkzeugResponse | None:
        host, origin = request.host.casefold(), request.headers.get("Origin")
        self.check_host(host)
        if request.method == "OPTIONS" and origin is not None and self.is_allowed(origin):
            # A preflight request never carries a token.
            return Response(b"", status=204)
        if request.method not in SAFE_METHODS:
            self.check_origin(origin, host)
        if self._token and request.path == "/" and self.is_token(request.args.get("token", "")):
            return self._set_cookie()
        if not request.path.startswith(OPEN_PATHS):
            self.check_token(request)
        return None

    async def _check_websocket(self) -> None:
        host = websocket.host.casefold()
        self.check_host(host)
        self.check_origin(websocket.headers.get("Origin"), host)
        self.check_token(websocket)

    def _set_cookie(self) -> Response | WerkzeugResponse:
        """Store the token as a cookie, and redirect to remove it from the address bar."""
        response = redirect("/", code=303)
        response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict", secure=request.is_secure)
        return response

    async def _add_headers(self, response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        if self._origins:
            response.headers.add("Vary", "Origin")
            origin = request.headers.get("Origin")
            if origin is not None and self.is_allowed(origin):
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Allow-Credentials"] = "true"
                response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
                response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
        return response


def _hostname(host: str) -> str:
    """The Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
