"""Parses the query parameters and subscription messages of WebSocket clients.

Invalid values raise a :class:`Problem` with status 422.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NotRequired, cast
from uuid import UUID

from typing_extensions import TypedDict
from werkzeug.datastructures import MultiDict

from ..errors import Problem
from .frames import Position
from .topics import EVERYTHING, Interest, Topic

MAX_SESSIONS: Final = 100
"""Sessions in one subscription; a client that wants more subscribes to all."""
MAX_DIGITS: Final = 15
"""Digits of a sequence number."""


class LiveQuery(TypedDict):
    """Query parameters of the WebSocket."""

    since: NotRequired[str]
    """Last frame that the client has, as ``epoch:seq``."""
    topics: NotRequired[list[str]]
    session: NotRequired[list[str]]


def parse_position(since: str | None) -> Position | None:
    """Parse the position of a reconnecting client, ``epoch:seq``."""
    if not since:
        return None
    epoch, _, seq = since.rpartition(":")
    if not epoch or not (seq.isascii() and seq.isdigit()) or len(seq) > MAX_DIGITS:
        raise _invalid("since must be epoch:seq, from the last frame received.")
    return Position(epoch=epoch, seq=int(seq))


def parse_interest(args: MultiDict[str, str]) -> Interest:
    """Parse the subscription in a query string, as in ``?topics=jobs,queue&session=ID``."""
    return subscribe(
        EVERYTHING, {"topics": _split_list(args, "topics"), "sessions": _split_list(args, "session")}
    )


def subscribe(interest: Interest, message: Mapping[str, object]) -> Interest:
    """Add the topics and sessions of a message to a subscription."""
    extended = interest.extended(_topics(message.get("topics")), _sessions(message.get("sessions")))
    if extended.sessions is not None and len(extended.sessions) > MAX_SESSIONS:
        raise _invalid(f"sessions must be at most {MAX_SESSIONS} ids.")
    return extended


def unsubscribe(interest: Interest, message: Mapping[str, object]) -> Interest:
    """Remove the topics and sessions of a message from a subscription."""
    return interest.reduced(_topics(message.get("topics")), _sessions(message.get("sessions")))


def _split_list(args: MultiDict[str, str], name: str) -> list[str]:
    return [word for text in args.getlist(name) for word in text.split(",") if word]


def _topics(names: object) -> frozenset[Topic]:
    try:
        return frozenset(Topic(name) for name in _texts(names))
    except ValueError:
        raise _invalid(f"topics must be a list of {', '.join(Topic)}.") from None


def _sessions(ids: object) -> frozenset[UUID]:
    try:
        return frozenset(UUID(text) for text in _texts(ids))
    except ValueError:
        raise _invalid("sessions must be a list of session ids.") from None


def _texts(values: object) -> list[str]:
    if values is None:
        return []
    if not isinstance(values, list):
        raise ValueError
    return [str(value) for value in cast("list[object]", values)]


def _invalid(detail: str) -> Problem:
    return Problem(422, "invalid_value", detail)
