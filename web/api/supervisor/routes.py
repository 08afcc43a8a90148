"""``/api/supervisor``: the supervisor tree, restarts, dead letters and event-loop load."""

from __future__ import annotations

from datetime import UTC, datetime

from quart import Blueprint

from runtime import DeadLettersQuery, LedgerQuery, LoadQuery, NotResent, ResendDeadLetter, TreeQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..documented import documented
from ..serializers import Json, iso
from ..timeouts import QUERY_TIMEOUT
from .models import LedgerModel, LettersModel, LoadModel, ResentModel, TreeModel
from .responses import dead_letter, load_view, restart_entry, tree_node


def supervisor_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes under ``/api/supervisor``."""
    blueprint = Blueprint("supervisor", __name__, url_prefix="/api/supervisor")

    @blueprint.get("/status")
    @documented(TreeModel)
    async def get_status() -> Json:
        """Get the supervisor tree."""
        tree = await actors.tree.ask(TreeQuery(), timeout=QUERY_TIMEOUT)
        now = datetime.now(UTC)
        return {"tree": tree_node(tree, now), "timestamp": iso(now)}

    @blueprint.get("/ledger")
    @documented(LedgerModel)
    async def list_restarts() -> Json:
        """List failures and restarts, newest first."""
        entries = await actors.tree.ask(LedgerQuery(), timeout=QUERY_TIMEOUT)
        return {"entries": [restart_entry(entry) for entry in reversed(entries)]}

    @blueprint.get("/load")
    @documented(LoadModel)
    async def get_load() -> Json:
        """Get the lag of the event loop and the slowest messages."""
        return load_view(await actors.tree.ask(LoadQuery(), timeout=QUERY_TIMEOUT))

    @blueprint.get("/dead-letters")
    @documented(LettersModel)
    async def list_dead_letters() -> Json:
        """List messages that were not handled, newest first."""
        letters = await actors.tree.ask(DeadLettersQuery(), timeout=QUERY_TIMEOUT)
        return {"letters": [dead_letter(letter) for letter in reversed(letters)]}

    @blueprint.post("/dead-letters/<int:number>/resend")
    @documented(ResentModel)
    async def resend_dead_letter(number: int) -> Json:
        """Send a dead letter to its actor again; 409 if that is not possible."""
        try:
            await actors.tree.ask(ResendDeadLetter(number=number), timeout=QUERY_TIMEOUT)
        except NotResent as refusal:
            raise Problem(409, "not_resent", f"{refusal}.".replace("..", ".")) from refusal
        return {"message": f"Dead letter {number} sent again"}

    return blueprint
