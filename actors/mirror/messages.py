"""What can be asked of the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from runtime import Refusal, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStatus:
    """How well Redis shows what is on record."""

    server: str
    """Where Redis is, without a secret."""
    last_sync: datetime | None
    """When something was last written; None before the first time."""
    lag_ms: float | None
    """From an event until Redis showed it, the last time; None before the first time."""
    pending: int
    """Sessions, tasks and events that are not written yet."""
    keys: int
    """Keys that are ours."""
    rebuilds: int
    """Times that everything was written anew, since this mirror started."""
    last_rebuild: datetime | None
    eviction_policy: str | None
    """``maxmemory-policy`` of the server; None where it does not tell."""
    warning: str | None
    """What an operator should change, in a sentence; None when all is well."""
    compared: int
    """Keys that were compared with the record for this answer."""
    differences: tuple[str, ...]
    """What Redis shows otherwise than the record, each in a sentence; at most `MOST_DIFFERENCES`."""
    more_differences: int
    """How many there are beyond those."""


MOST_DIFFERENCES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorStatusQuery(Request[MirrorStatus]):
    """How the mirror stands, really compared with the record.

    Takes as long as reading both: a second or two at most. All who ask
    meanwhile share the next comparison. Refused with ``MirrorStatusUnavailable`` while
    the record cannot be read, and with ``MirrorBusy`` to a crowd. While Redis
    is away nobody answers, so ask with a short timeout.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairMirror(Request[MirrorStatus]):
    """Write everything anew from the record, now, and answer how the mirror stands after it.

    Refused like ``MirrorStatusQuery``.
    """


MirrorMessage: TypeAlias = MirrorStatusQuery | RepairMirror


class MirrorStatusUnavailable(Refusal):
    """The record cannot be read at the moment, so nobody knows what Redis should show; ask again later."""


class MirrorBusy(Refusal):
    """So many wait for an answer already that nobody else is let in; ask again later."""
