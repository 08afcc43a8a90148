"""``/api/mirror``: compare the Redis mirror with the database, and repair it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from quart import Blueprint
from typing_extensions import TypedDict

from actors.mirror.messages import MirrorStatus, MirrorStatusQuery, RepairMirror

from ..addresses import ActorAddresses
from ..documented import documented
from ..serializers import Json, iso
from ..timeouts import ANALYTICS_TIMEOUT, require_database

REPAIR_TIMEOUT: Final = 30.0


def mirror_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes under ``/api/mirror``."""
    blueprint = Blueprint("mirror", __name__, url_prefix="/api/mirror")

    @blueprint.get("/status")
    @documented(MirrorModel)
    async def get_status() -> Json:
        """Compare Redis with the database."""
        await require_database(actors)
        return mirror_status(await actors.mirror.ask(MirrorStatusQuery(), timeout=ANALYTICS_TIMEOUT))

    @blueprint.post("/repair")
    @documented(MirrorModel)
    async def repair_mirror() -> Json:
        """Rebuild Redis from the database, and compare."""
        await require_database(actors)
        return mirror_status(await actors.mirror.ask(RepairMirror(), timeout=REPAIR_TIMEOUT))

    return blueprint


def mirror_status(status: MirrorStatus) -> Json:
    """The mirror's state and its last comparison with the database."""
    return {
        "server": status.server,
        "last_sync": iso(status.last_sync),
        "lag_ms": status.lag_ms,
        "pending": status.pending,
        "keys": status.keys,
        "rebuilds": status.rebuilds,
        "last_rebuild": iso(status.last_rebuild),
        "eviction_policy": status.eviction_policy,
        "warning": status.warning,
        "compared": status.compared,
        "differences": list(status.differences),
        "more_differences": status.more_differences,
    }


class MirrorModel(TypedDict):
    """State of the mirror; `differences` are the result of the last comparison."""

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
