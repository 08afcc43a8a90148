"""What a running instance says of itself, parsed: its supervisor tree and its bot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ..errors import UnexpectedResponse
from .instance import Endpoint, fetch

TREE_PATH = "/api/supervisor/status"
BOT_PATH = "/api/bot/status"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxJson:
    """How full an actor's mailbox is."""

    depth: int
    capacity: int
    high_water: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJson:
    """One supervisor or actor, with what stands below it."""

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
        """Yield this node and all below it, from top to bottom."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeAnswer:
    """The answer of `TREE_PATH`."""

    tree: NodeJson
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BotAnswer:
    """The answer of `BOT_PATH`."""

    is_running: bool
    status: str
    login_status: str
    session_id: str | None = None
    session_name: str | None = None
    total_checks: int = 0
    total_accepted: int = 0
    total_rejected: int = 0


_TREE = TypeAdapter(TreeAnswer)
_BOT = TypeAdapter(BotAnswer)


def tree_of(endpoint: Endpoint) -> tuple[TreeAnswer, object]:
    """Return the instance's tree, parsed and as it came.

    Raises:
        CommandFailed: there is no such answer.
    """
    return _parsed(_TREE, endpoint, TREE_PATH)


def bot_of(endpoint: Endpoint) -> tuple[BotAnswer, object]:
    """Return the state of the instance's bot, parsed and as it came.

    Raises:
        CommandFailed: there is no such answer.
    """
    return _parsed(_BOT, endpoint, BOT_PATH)


def _parsed(adapter: TypeAdapter[T], endpoint: Endpoint, path: str) -> tuple[T, object]:
    answer = fetch(endpoint, path)
    try:
        return adapter.validate_python(answer), answer
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where}: {first['msg']}"
        raise UnexpectedResponse(
            f"{endpoint.url}{path} did not answer as botvisor would: {problem}"
        ) from None
