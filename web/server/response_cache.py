"""Caches response heads by the exact bytes of a request, to respond without a pass through the app.

Authorization and response headers depend only on the head of a request (see
``web/api/auth.py``), so they are the same for the same bytes; only the body is
created anew. Polling clients send the same bytes all the time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from quart_trio import QuartTrio

from runtime import AskFailed, MailboxFull, Refusal

Body: TypeAlias = Callable[[], Awaitable[bytes]]
"""Creates the body of a response from memory, the same for every client."""
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

PATHS: Final = {"/api/bot/status": "bot.get_status"}
"""Cached paths and their endpoints, which do not read the request."""
MAX_HEAD_BYTES: Final = 4096
MAX_HEADS: Final = 256
"""Cached heads; beyond that the oldest is evicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedResponse:
    """The response to one cached request."""

    before: bytes
    """The head of the response up to the value of ``content-length``."""
    after: bytes
    """The rest of the head; the date is added to it."""
    body: Body


class ResponseCache:
    """Responses by the head of a request to which the app has responded with 200."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self._bodies = bodies
        self._responses: dict[bytes, CachedResponse] = {}

    def store(self, head: bytes, path: str, headers: Headers) -> None:
        """Store the response headers of a GET request without a query."""
        body = self._bodies.get(path)
        if body is None or len(head) > MAX_HEAD_BYTES or not head.endswith(b"\r\n\r\n"):
            return
        lines = [b"HTTP/1.1 200 ", *(name + b": " + value for name, value in headers)]
        length = next(
            (i for i, line in enumerate(lines) if line.lower().startswith(b"content-length:")), None
        )
        if length is None:
            return
        before = b"\r\n".join([*lines[:length], b"content-length: "])
        after = b"".join(b"\r\n" + line for line in lines[length + 1 :])
        self._responses[head] = CachedResponse(before=before, after=after, body=body)
        if len(self._responses) > MAX_HEADS:
            del self._responses[next(iter(self._responses))]

    async def respond(self, head: bytes, extra: Headers) -> bytes | None:
        """Return the whole response with extra headers; None if the app must respond."""
        response = self._responses.get(head)
        if response is None:
            return None
        try:
            body = await response.body()
        except (AskFailed, MailboxFull, Refusal):
            return None  # the app responds with the error
        added = b"".join(b"\r\n" + name + b": " + value for name, value in extra)
        return b"%b%d%b%b\r\n\r\n%b" % (response.before, len(body), response.after, added, body)


def make_response_cache(app: QuartTrio) -> ResponseCache:
    """Return the response cache of an app."""

    def body_of(endpoint: str) -> Body:
        view = cast("Callable[[], Awaitable[object]]", app.view_functions[endpoint])

        async def body() -> bytes:
            # Encoded as Quart encodes the return value of a view.
            return app.json.dumps(await view(), separators=(",", ":")).encode() + b"\n"

        return body

    return ResponseCache({path: body_of(endpoint) for path, endpoint in PATHS.items()})
