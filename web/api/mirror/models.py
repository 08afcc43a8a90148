"""How Redis compares with the record."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict


class MirrorModel(TypedDict):
    """The mirror as it stands; `differences` are those that the last comparison found."""

    server: str
    last_sync: datetime | None
    lag_ms: float | None
    pending: int
    keys: int
    rebuilds: int
    last_rebuild: datetime | None
    eviction_policy: str | None
    warning: str | None
    compared: int
    differences: list[str]
    more_differences: int
