"""``/health`` and ``/livez``: how the parts are at this moment, read off the supervisor tree."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from quart import Blueprint, Response, request

from runtime import ChildState, Node, TreeQuery

from ..doors import Doors
from ..schemas import Json, iso

ASK_TIMEOUT: Final = 5.0
SERVICE: Final = "AtoZ Bot Dashboard API"
VERSION: Final = "2.0.0"
"""Of the contract, which its clients read; not of botvisor."""
COMPONENTS: Final = {"database": "records/db_writer", "redis": "mirror/redis_sync"}
"""Each part that a check is about, and the actor that fails when the part is away."""


def health_blueprint(doors: Doors) -> Blueprint:
    """The routes that watchers of the process ask."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    async def health() -> Response:
        tree = await doors.tree.ask(TreeQuery(), timeout=ASK_TIMEOUT)
        kind = request.accept_mimetypes.best_match(["application/json", "application/health+json"])
        return Response(json.dumps(health_of(tree)), content_type=kind or "application/json")

    @blueprint.get("/livez")
    async def livez() -> Json:
        return {"status": "ok"}

    return blueprint


def health_of(tree: Node) -> Json:
    """The contract's two health vocabularies in one body."""
    checks = {name: check(find(tree, path)) for name, path in COMPONENTS.items()}
    issues = [f"{name}: {status}" for name, status in checks.items() if status.startswith("unhealthy")]
    components: Json = {"api": {"status": "healthy", "message": "answers"}}
    for name, status in checks.items():
        word, _, message = status.partition(": ")
        components[name] = {"status": word, "message": message or word.replace("_", " ")}
    return {
        "status": "degraded" if issues else "healthy",
        "timestamp": iso(datetime.now(UTC)),
        "service": SERVICE,
        "version": VERSION,
        "checks": checks,
        "components": components,
        "issues": issues,
    }


def check(node: Node | None) -> str:
    """How the part is that an actor works with: ``healthy`` only while that actor runs."""
    if node is None:
        return "not_configured"
    if node.state is ChildState.RUNNING:
        return "healthy"
    return f"unhealthy: {node.last_error or node.state}"


def find(tree: Node, path: str) -> Node | None:
    """The node at a path below the root."""
    for child in tree.children:
        name, _, rest = path.partition("/")
        if child.id == name:
            return find(child, rest) if rest else child
    return None
