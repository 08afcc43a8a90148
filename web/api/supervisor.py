"""``/api/supervisor``: the whole tree as it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from quart import Blueprint

from runtime import TreeQuery

from ..doors import Doors
from ..schemas import Json, iso, tree_node

ASK_TIMEOUT: Final = 5.0


def supervisor_blueprint(doors: Doors) -> Blueprint:
    """The routes under ``/api/supervisor``."""
    blueprint = Blueprint("supervisor", __name__, url_prefix="/api/supervisor")

    @blueprint.get("/status")
    async def status() -> Json:
        tree = await doors.tree.ask(TreeQuery(), timeout=ASK_TIMEOUT)
        now = datetime.now(UTC)
        return {"tree": tree_node(tree, now), "timestamp": iso(now)}

    return blueprint
