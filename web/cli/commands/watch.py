"""`botvisor watch`: prints the events of the running instance as they happen."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Never, cast
from urllib.parse import urlencode
from uuid import UUID

import trio
import typer
from pydantic import TypeAdapter
from rich.text import Text

from ...live.topics import Topic
from ..client.event_socket import open_event_socket
from ..client.instance import Endpoint, locate_endpoint
from ..errors import ConnectionLost, NotRunning, UnexpectedResponse
from ..options import CommandContext, Configuration, common_options
from ..render.output import plain, show, show_json

FIRST_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 15.0

_STYLES = {"error": "bold red", "job_accepted": "green", "job_rejected": "yellow", "status_update": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A WebSocket message."""

    type: str
    data: object
    timestamp: datetime
    epoch: str = ""
    seq: int = 0


_ENVELOPE = TypeAdapter(Envelope)


SessionsOption = Annotated[
    list[UUID] | None,
    typer.Option("--session", metavar="ID", help="Only this session; may be repeated."),
]
TopicsOption = Annotated[
    list[Topic] | None,
    typer.Option("--topic", help="Only this topic; may be repeated."),
]


@common_options(url=True)
def watch(context: CommandContext, sessions: SessionsOption = None, topics: TopicsOption = None) -> None:
    """Print events until Ctrl-C; with --json one per line."""
    configuration = context.configuration()
    # With --session, topics without a session, such as the queue, are left out.
    selected = topics or ([Topic.SESSIONS, Topic.JOBS] if sessions else [])
    subscription: list[tuple[str, str]] = [("topics", topic) for topic in selected]
    subscription += [("session", str(session)) for session in sessions or ()]
    try:
        trio.run(_follow, configuration, context.url, subscription, context.as_json)
    except* KeyboardInterrupt:
        pass  # Ctrl-C is the normal end


async def _follow(
    configuration: Configuration, url: str | None, subscription: list[tuple[str, str]], as_json: bool
) -> None:
    """Print events until cancelled, reconnecting whenever the connection ends.

    Raises:
        CommandFailed: the first connection fails, or a later one is rejected for good.
    """
    follower = _Follower(subscription, as_json)
    delay = FIRST_RETRY_SECONDS
    while True:
        before = follower.received
        try:
            # Found anew each time: a restarted instance may use another port.
            await follower.follow(locate_endpoint(configuration, url))
        except (ConnectionLost, NotRunning) as error:
            if not follower.received:
                raise
            if follower.received > before:
                delay = FIRST_RETRY_SECONDS
            typer.echo(f"botvisor: {error}; retrying in {delay:g} s", err=True)
            # Jitter, so that many watchers do not reconnect at once.
            await trio.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(2 * delay, MAX_RETRY_SECONDS)


class _Follower:
    """Prints and counts the messages of successive connections."""

    def __init__(self, subscription: list[tuple[str, str]], as_json: bool) -> None:
        self.received = 0
        self._subscription = subscription
        self._as_json = as_json
        self._resume: list[tuple[str, str]] = []

    async def follow(self, endpoint: Endpoint) -> Never:
        """Print the events of one connection until it ends.

        Raises:
            NotRunning: nothing answers.
            TokenRefused: the token is wrong.
            UnexpectedResponse: the server is not botvisor.
            ConnectionLost: the connection ended.
        """
        query = urlencode([*self._subscription, *self._resume])
        async with open_event_socket(endpoint, query) as socket:
            while True:
                self._print(endpoint, await socket.next_message())

    def _print(self, endpoint: Endpoint, message: bytes) -> None:
        try:
            raw: object = json.loads(message)
            envelope = _ENVELOPE.validate_python(raw)
        except ValueError:
            raise UnexpectedResponse(f"{endpoint.url}/ws: unexpected message") from None
        self.received += 1
        if envelope.epoch:
            # The instance resumes after this message, or reports a gap.
            self._resume = [("since", f"{envelope.epoch}:{envelope.seq}")]
        if self._as_json:
            show_json(raw, indent=None)
        else:
            show(_line(envelope))


def _line(envelope: Envelope) -> Text:
    # Cut to one line on a terminal; complete in a pipe and with --json.
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{envelope.timestamp.astimezone():%H:%M:%S} ", "dim")
    line.append(f"{plain(envelope.type):<24}", _STYLES.get(envelope.type, "bold"))
    line.append(" ".join(f"{key}={value}" for key, value in _flat("", envelope.data)))
    return line


def _flat(key: str, data: object) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested data with their dotted keys."""
    if isinstance(data, dict):
        for inner, value in cast("dict[str, object]", data).items():
            yield from _flat(f"{key}.{inner}" if key else inner, value)
    else:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        yield (
            plain(key or "data"),
            plain(text) if text and " " not in text else json.dumps(plain(text), ensure_ascii=False),
        )
