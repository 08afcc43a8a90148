"""Who may come in: a token where one is set, no other site's pages, no foreign host names.

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
"""Wanted before anybody can show a token, and without a secret in them."""

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
    """Decides on each request by its headers alone."""

    def __init__(self, settings: WebSettings) -> None:
        self._token = settings.token.get_secret_value()
        # The token itself stays out of the browser's cookie store.
        self._cookie = hmac.new(self._token.encode(), b"botvisor cookie", hashlib.sha256).hexdigest()
        self._origins = frozenset(origin.casefold() for origin in settings.allowed_origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)
        self._loopback = is_loopback(settings.host)

    def install(self, app: QuartTrio) -> None:
        """Stand before every route of the app."""
        app.before_request(self._admit_request)
        app.before_websocket(self._admit_websocket)
        app.after_request(self._sign)

    # What is checked

    def check_host(self, host: str) -> None:
        """Refuse a host that is not this machine, where only this machine can ask."""
        # A client without a Host header is no browser.
        if self._loopback and host and not is_loopback(_hostname(host)) and host not in self._hosts:
            raise Problem(403, "foreign_host", "This server answers only to the name of this machine.")

    def check_origin(self, origin: str | None, host: str) -> None:
        """Refuse what a page of another site sent."""
        if origin is not None and not self.is_allowed(origin) and urlsplit(origin).netloc.casefold() != host:
            raise Problem(403, "foreign_origin", "Pages of this origin may not do that here.")

    def check_token(self, shown: Request | Websocket) -> None:
        """Refuse who shows no token, in a header or in the cookie."""
        if not self._token:
            return
        scheme, _, bearer = shown.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self.is_token(bearer.strip()):
            return
        if hmac.compare_digest(shown.cookies.get(COOKIE, "").encode(), self._cookie.encode()):
            return
        raise Problem(
            401,
            "token_required",
            "A token is required: send it as 'Authorization: Bearer ...', or open the page with ?token=...",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def is_allowed(self, origin: str) -> bool:
        return origin.casefold() in self._origins

    # Where it is checked

    async def _admit_request(self) -> Response | WerkzeugResponse | None:
        host, origin = request.host.casefold(), request.headers.get("Origin")
        self.check_host(host)
        if request.method == "OPTIONS" and origin is not None and self.is_allowed(origin):
            # A preflight request never carries a token.
            return Response(b"", status=204)
        if request.method not in SAFE_METHODS:
            self.check_origin(origin, host)
        if self._token and request.path == "/" and self.is_token(request.args.get("token", "")):
            return self._remember()
        if not request.path.startswith(OPEN_PATHS):
            self.check_token(request)
        return None

    async def _admit_websocket(self) -> None:
        host = websocket.host.casefold()
        self.check_host(host)
        self.check_origin(websocket.headers.get("Origin"), host)
        self.check_token(websocket)

    def _remember(self) -> Response | WerkzeugResponse:
        """Keep the token as a cookie, and take it out of the address bar."""
        answer = redirect("/", code=303)
        answer.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict", secure=request.is_secure)
        return answer

    async def _sign(self, response: Response) -> Response:
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
    """The host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
