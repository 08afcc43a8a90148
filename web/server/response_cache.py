"""Answers from memory what was asked before in the very same bytes, without the way through the app.

Whether somebody may ask, and which headers the answer has, is decided by the
head of a request alone (see `guard.py`), so it is the same for the same bytes;
only the body is made anew. Clients that poll send the same bytes all day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from quart_trio import QuartTrio

from runtime import AskFailed, MailboxFull, Refusal

Body: TypeAlias = Callable[[], Awaitable[bytes]]
"""Makes the body of an answer, from memory, whoever asks."""
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

PATHS: Final = {"/api/bot/status": "bot.status"}
"""Questions with a short cut, and their endpoints, which look at nothing in the request."""
LONGEST_HEAD: Final = 4096
MOST_HEADS: Final = 256
"""That are remembered; of more the oldest is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRequest:
    """How one question is answered."""

    before: bytes
    """The head of the answer as far as the value of its ``content-length``."""
    after: bytes
    """The rest of the head, to which a date is added."""
    body: Body


class ResponseCache:
    """Remembers heads of requests that the app has answered with 200."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self._bodies = bodies
        self._known: dict[bytes, CachedRequest] = {}

    def learn(self, head: bytes, path: str, headers: Headers) -> None:
        """Take note of how a GET of a path without a query was answered."""
        body = self._bodies.get(path)
        if body is None or len(head) > LONGEST_HEAD or not head.endswith(b"\r\n\r\n"):
            return
        lines = [b"HTTP/1.1 200 ", *(name + b": " + value for name, value in headers)]
        length = next(
            (i for i, line in enumerate(lines) if line.lower().startswith(b"content-length:")), None
        )
        if length is None:
            return
        before = b"\r\n".join([*lines[:length], b"content-length: "])
        after = b"".join(b"\r\n" + line for line in lines[length + 1 :])
        self._known[head] = CachedRequest(before=before, after=after, body=body)
        if len(self._known) > MOST_HEADS:
            del self._known[next(iter(self._known))]

    async def answer(self, head: bytes, more: Headers) -> bytes | None:
        """The whole answer, with these headers as well; None where the app has to be asked."""
        known = self._known.get(head)
        if known is None:
            return None
        try:
            body = await known.body()
        except (AskFailed, MailboxFull, Refusal):
            return None  # the app knows how to say that
        added = b"".join(b"\r\n" + name + b": " + value for name, value in more)
        return b"%b%d%b%b\r\n\r\n%b" % (known.before, len(body), known.after, added, body)


def shortcuts_of(app: QuartTrio) -> ResponseCache:
    """The short cuts past an app."""

    def body_of(endpoint: str) -> Body:
        view = cast("Callable[[], Awaitable[object]]", app.view_functions[endpoint])

        async def body() -> bytes:
            # As Quart itself makes JSON of what a view returns.
            return app.json.dumps(await view(), separators=(",", ":")).encode() + b"\n"

        return body

    return ResponseCache({path: body_of(endpoint) for path, endpoint in PATHS.items()})
