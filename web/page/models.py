"""What the addresses of the page and of its WebSocket may say."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class PageQuery(TypedDict):
    """The token, for whoever opens the page for the first time."""

    token: NotRequired[str]


class LiveQuery(TypedDict):
    """Where a client was, and what it wants."""

    since: NotRequired[str]
    topics: NotRequired[list[str]]
    session: NotRequired[list[str]]
