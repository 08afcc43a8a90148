"""Requests to the mirror, and their refusals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from runtime import Refusal, Request

MAX_DIFFERENCES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStatus:
    """State of the mirror, and how Redis differs from the database."""

    server: str
    """Where Redis is, without secrets."""
    last_sync: datetime | None
    """Time of the last write; None before the first."""
    lag_ms: float | None
    """Time from an event until Redis showed it, for the last write; None before the first."""
    pending: int
    """Sessions, tasks and events that are not written yet."""
    keys: int
    """Keys that the mirror owns."""
    rebuilds: int
    """Number of full rewrites since this mirror started."""
    last_rebuild: datetime | None
    eviction_policy: str | None
    """``maxmemory-policy`` of the server; None where it is not reported."""
    warning: str | None
    """What an operator should change, in a sentence; None when all is well."""
    compared: int
    """Keys that were compared with the database for this reply."""
    differences: tuple[str, ...]
    """Differences between Redis and the database, one sentence each; at most `MAX_DIFFERENCES`."""
    more_differences: int
    """Number of differences beyond those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStatusQuery(Request[MirrorStatus]):
    """Compare Redis with the database, and reply with the mirror's status.

    Takes as long as reading both: at most a second or two. Requests that arrive
    meanwhile share the next comparison. Refused with ``MirrorStatusUnavailable``
    while the database cannot be read, and with ``MirrorBusy`` when too many
    requests wait. There is no reply while Redis is unavailable, so ask with a
    short timeout.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairMirror(Request[MirrorStatus]):
    """Rewrite everything from the database now, and reply with the status after that.

    Refused like ``MirrorStatusQuery``.
    """


MirrorMessage: TypeAlias = MirrorStatusQuery | RepairMirror


class MirrorStatusUnavailable(Refusal):
    """The database or Redis cannot be read at the moment, so the comparison is impossible; retry later."""


class MirrorBusy(Refusal):
    """Too many requests wait for the mirror's status; retry later."""
