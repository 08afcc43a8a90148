"""``/api/mirror``: how well Redis shows what is on record."""

from __future__ import annotations

from typing import Final

from quart import Blueprint

from actors.mirror.messages import MirrorStatusQuery, RepairMirror

from ..described import described
from ..doors import Doors
from ..models.mirror import MirrorModel
from ..schemas import Json
from ..task_schemas import mirror_status

ASK_TIMEOUT: Final = 5.0
REPAIR_TIMEOUT: Final = 30.0


def mirror_blueprint(doors: Doors) -> Blueprint:
    """The routes under ``/api/mirror``."""
    blueprint = Blueprint("mirror", __name__, url_prefix="/api/mirror")

    @blueprint.get("/status")
    @described(MirrorModel)
    async def status() -> Json:
        """Compare Redis with the record."""
        return mirror_status(await doors.mirror.ask(MirrorStatusQuery(), timeout=ASK_TIMEOUT))

    @blueprint.post("/repair")
    @described(MirrorModel)
    async def repair() -> Json:
        """Write all of Redis anew from the record, and compare."""
        return mirror_status(await doors.mirror.ask(RepairMirror(), timeout=REPAIR_TIMEOUT))

    return blueprint
