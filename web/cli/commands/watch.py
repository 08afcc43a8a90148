"""`botvisor watch`: a running instance's events as they happen."""

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
from ..client.instance import Endpoint, find_endpoint
from ..errors import ConnectionLost, NotRunning, UnexpectedResponse
from ..options import (
    ConfigOption,
    Configuration,
    DataDirOption,
    JsonOption,
    SetOption,
    UrlOption,
    configuration,
)
from ..render.output import plain, show, show_json

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0

_STYLES = {"error": "bold red", "job_accepted": "green", "job_rejected": "yellow", "status_update": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every message on the WebSocket looks like."""

    type: str
    data: object
    timestamp: datetime
    epoch: str = ""
    seq: int = 0


_ENVELOPE = TypeAdapter(Envelope)


SessionsOption = Annotated[
    list[UUID] | None,
    typer.Option("--session", metavar="ID", help="Only this session; may be given more than once."),
]
TopicsOption = Annotated[
    list[Topic] | None,
    typer.Option("--topic", help="Only what is about this; may be given more than once."),
]


def watch(
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_dir: DataDirOption = None,
    url: UrlOption = None,
    sessions: SessionsOption = None,
    topics: TopicsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the events of a running instance until Ctrl-C; with --json one on each line."""
    chosen = configuration(config, overrides, data_dir)
    # What is about no session, such as the queue, is not what somebody wants who names one.
    wanted = topics or ([Topic.SESSIONS, Topic.JOBS] if sessions else [])
    subscription: list[tuple[str, str]] = [("topics", topic) for topic in wanted]
    subscription += [("session", str(session)) for session in sessions or ()]
    try:
        trio.run(_follow, chosen, url, subscription, as_json)
    except* KeyboardInterrupt:
        pass  # the way to end it


async def _follow(
    chosen: Configuration, url: str | None, subscription: list[tuple[str, str]], as_json: bool
) -> None:
    """Print events for ever, over as many connections as that takes.

    Raises:
        CommandFailed: the first connection cannot be made, or the instance says that none will.
    """
    follower = _Follower(subscription, as_json)
    wait = FIRST_WAIT_SECONDS
    while True:
        before = follower.received
        try:
            # Each time anew: an instance that was started again may answer on another port.
            await follower.follow(find_endpoint(chosen, url))
        except (ConnectionLost, NotRunning) as error:
            if not follower.received:
                raise
            if follower.received > before:
                wait = FIRST_WAIT_SECONDS
            typer.echo(f"botvisor: {error}; trying again in {wait:g} s", err=True)
            # Spread out, so that many watchers do not come back in step.
            await trio.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)


class _Follower:
    """Prints what comes over one connection after the other, and counts it."""

    def __init__(self, subscription: list[tuple[str, str]], as_json: bool) -> None:
        self.received = 0
        self._subscription = subscription
        self._as_json = as_json
        self._resume: list[tuple[str, str]] = []

    async def follow(self, endpoint: Endpoint) -> Never:
        """Print the events that come over one connection, until it ends.

        Raises:
            NotRunning: nothing answers.
            TokenRefused: it wants another token.
            OddAnswer: what answers is no botvisor.
            ConnectionLost: there was a connection, and it ended.
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
            raise UnexpectedResponse(f"{endpoint.url}/ws did not answer as botvisor would") from None
        self.received += 1
        if envelope.epoch:
            # The instance sends what came after this, or says that there was a gap.
            self._resume = [("since", f"{envelope.epoch}:{envelope.seq}")]
        if self._as_json:
            show_json(raw, indent=None)
        else:
            show(_line(envelope))


def _line(envelope: Envelope) -> Text:
    # On a terminal an event keeps to its line; all of it is in a pipe, or with --json.
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
