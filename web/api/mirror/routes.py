"""``/api/mirror``: how well Redis shows what is on record."""

from __future__ import annotations

from typing import Final

from quart import Blueprint

from actors.mirror.messages import MirrorStatusQuery, RepairMirror

from ..addresses import ActorAddresses
from ..documented import documented
from ..serializers import Json
from ..tasks.responses import mirror_status
from ..timeouts import COUNT, require_record
from .models import MirrorModel

REPAIR_TIMEOUT: Final = 30.0


def mirror_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes under ``/api/mirror``."""
    blueprint = Blueprint("mirror", __name__, url_prefix="/api/mirror")

    @blueprint.get("/status")
    @documented(MirrorModel)
    async def status() -> Json:
        """Compare Redis with the record."""
        await require_record(doors)
        return mirror_status(await doors.mirror.ask(MirrorStatusQuery(), timeout=COUNT))

    @blueprint.post("/repair")
    @documented(MirrorModel)
    async def repair() -> Json:
        """Write all of Redis anew from the record, and compare."""
        await require_record(doors)
        return mirror_status(await doors.mirror.ask(RepairMirror(), timeout=REPAIR_TIMEOUT))

    return blueprint
