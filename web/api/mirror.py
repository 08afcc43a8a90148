"""``/api/mirror``: how well Redis shows what is on record."""

from __future__ import annotations

from typing import Final

from quart import Blueprint

from actors.mirror.messages import MirrorStatusQuery, RepairMirror

from ..described import described
from ..doors import Doors
from ..models.mirror import MirrorModel
from ..patience import COUNT, require_record
from ..schemas import Json
from ..task_schemas import mirror_status

REPAIR_TIMEOUT: Final = 30.0


def mirror_blueprint(doors: Doors) -> Blueprint:
    """The routes under ``/api/mirror``."""
    blueprint = Blueprint("mirror", __name__, url_prefix="/api/mirror")

    @blueprint.get("/status")
    @described(MirrorModel)
    async def status() -> Json:
        """Compare Redis with the record."""
        await require_record(doors)
        return mirror_status(await doors.mirror.ask(MirrorStatusQuery(), timeout=COUNT))

    @blueprint.post("/repair")
    @described(MirrorModel)
    async def repair() -> Json:
        """Write all of Redis anew from the record, and compare."""
        await require_record(doors)
        return mirror_status(await doors.mirror.ask(RepairMirror(), timeout=REPAIR_TIMEOUT))

    return blueprint
