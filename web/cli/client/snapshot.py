"""Reads the supervisor tree and the bot status of the running instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .instance import Endpoint, fetch, parse

TREE_PATH = "/api/supervisor/status"
BOT_PATH = "/api/bot/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxJson:
    """Mailbox statistics of an actor."""

    depth: int
    capacity: int
    high_water: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJson:
    """A supervisor or worker with its descendants."""

    id: str
    path: str
    kind: str
    state: str
    restarts: int
    last_error: str | None = None
    uptime_seconds: float | None = None
    mailbox: MailboxJson | None = None
    backoff_until: datetime | None = None
    detail: Mapping[str, str | int | float | bool | None] = field(
        default_factory=dict[str, "str | int | None"]
    )
    children: tuple[NodeJson, ...] = ()

    def walk(self) -> Iterator[NodeJson]:
        """Yield this node and its descendants, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeJson:
    """The response of `TREE_PATH`."""

    tree: NodeJson
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BotJson:
    """The response of `BOT_PATH`."""

    is_running: bool
    status: str
    login_status: str
    session_id: str | None = None
    session_name: str | None = None
    total_checks: int = 0
    total_accepted: int = 0
    total_rejected: int = 0


def fetch_tree(endpoint: Endpoint) -> tuple[TreeJson, object]:
    """Return the supervisor tree, parsed and as raw JSON.

    Raises:
        CommandFailed: the request fails.
    """
    raw = fetch(endpoint, TREE_PATH)
    return parse(TreeJson, raw, f"{endpoint.url}{TREE_PATH}"), raw


def fetch_bot(endpoint: Endpoint) -> tuple[BotJson, object]:
    """Return the bot status, parsed and as raw JSON.

    Raises:
        CommandFailed: the request fails.
    """
    raw = fetch(endpoint, BOT_PATH)
    return parse(BotJson, raw, f"{endpoint.url}{BOT_PATH}"), raw
