"""``/api/supervisor``: the tree as it stands, and its account of what went wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import Blueprint

from runtime import DeadLettersQuery, LedgerQuery, LoadQuery, NotResent, ResendDeadLetter, TreeQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..documented import documented
from ..serializers import Json, iso
from ..timeouts import LOOK
from .models import LedgerModel, LettersModel, LoadModel, ResentModel, TreeModel
from .responses import dead_letter, load_view, restart_entry, tree_node


def supervisor_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes under ``/api/supervisor``."""
    blueprint = Blueprint("supervisor", __name__, url_prefix="/api/supervisor")

    @blueprint.get("/status")
    @documented(TreeModel)
    async def status() -> Json:
        """Show the tree as it stands."""
        tree = await doors.tree.ask(TreeQuery(), timeout=LOOK)
        now = datetime.now(UTC)
        return {"tree": tree_node(tree, now), "timestamp": iso(now)}

    @blueprint.get("/ledger")
    @documented(LedgerModel)
    async def ledger() -> Json:
        """List what failed, and what came of it."""
        entries = await doors.tree.ask(LedgerQuery(), timeout=LOOK)
        return {"entries": [restart_entry(entry) for entry in reversed(entries)]}

    @blueprint.get("/load")
    @documented(LoadModel)
    async def load() -> Json:
        """Show how late the event loop is, and which messages took longest."""
        return load_view(await doors.tree.ask(LoadQuery(), timeout=LOOK))

    @blueprint.get("/dead-letters")
    @documented(LettersModel)
    async def dead_letters() -> Json:
        """List messages that were not handled."""
        letters = await doors.tree.ask(DeadLettersQuery(), timeout=LOOK)
        return {"letters": [dead_letter(letter) for letter in reversed(letters)]}

    @blueprint.post("/dead-letters/<int:number>/resend")
    @documented(ResentModel)
    async def resend(number: int) -> Json:
        """Give a dead letter to its actor again; 409 where that cannot be."""
        try:
            await doors.tree.ask(ResendDeadLetter(number=number), timeout=LOOK)
        except NotResent as refusal:
            raise Problem(409, "not_resent", f"{refusal}.".replace("..", ".")) from refusal
        return {"message": f"Letter {number} was queued again"}

    return blueprint
