"""What clients say of where they were and of what they want, parsed; whatever else they say is a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast
from uuid import UUID

from werkzeug.datastructures import MultiDict

from ..errors import Problem
from .frames import Position
from .topics import EVERYTHING, Interest, Topic

MOST_SESSIONS: Final = 100
"""That a client may choose; to choose more is to choose all."""
LONGEST_NUMBER: Final = 15
"""Digits."""


def position_of(since: str | None) -> Position | None:
    """Where a client says that it was, as ``epoch:seq``."""
    if not since:
        return None
    epoch, _, seq = since.rpartition(":")
    if not epoch or not (seq.isascii() and seq.isdigit()) or len(seq) > LONGEST_NUMBER:
        raise _refused("since must be epoch:seq, as frames have them.")
    return Position(epoch=epoch, seq=int(seq))


def interest_of(args: MultiDict[str, str]) -> Interest:
    """What a client subscribes to by its address: ``?topics=jobs,queue&session=ID``."""
    return subscribed(EVERYTHING, {"topics": _listed(args, "topics"), "sessions": _listed(args, "session")})


def subscribed(interest: Interest, wish: Mapping[str, object]) -> Interest:
    """With the topics and the sessions of a wish as well."""
    more = interest.with_more(_topics(wish.get("topics")), _sessions(wish.get("sessions")))
    if more.sessions is not None and len(more.sessions) > MOST_SESSIONS:
        raise _refused(f"sessions must not be more than {MOST_SESSIONS}.")
    return more


def unsubscribed(interest: Interest, wish: Mapping[str, object]) -> Interest:
    """Without the topics and the sessions of a wish."""
    return interest.with_less(_topics(wish.get("topics")), _sessions(wish.get("sessions")))


def _listed(args: MultiDict[str, str], name: str) -> list[str]:
    return [word for text in args.getlist(name) for word in text.split(",") if word]


def _topics(names: object) -> frozenset[Topic]:
    try:
        return frozenset(Topic(name) for name in _texts(names))
    except ValueError:
        raise _refused(f"topics must be a list of {', '.join(Topic)}.") from None


def _sessions(ids: object) -> frozenset[UUID]:
    try:
        return frozenset(UUID(text) for text in _texts(ids))
    except ValueError:
        raise _refused("sessions must be a list of ids of sessions.") from None


def _texts(values: object) -> list[str]:
    if values is None:
        return []
    if not isinstance(values, list):
        raise ValueError
    return [str(value) for value in cast("list[object]", values)]


def _refused(sentence: str) -> Problem:
    return Problem(422, "invalid_value", sentence)
