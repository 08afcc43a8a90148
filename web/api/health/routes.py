"""``/health`` and its kin: how the services are, and whether this process lives, has started and is ready."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from quart import Blueprint, Response, request

from actors.monitor.messages import ForceCheck, HealthQuery, HealthView, NoSuchService
from runtime import AskFailed, MailboxFull, Node, TreeQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..documented import documented
from ..serializers import Json, iso
from ..timeouts import LOOK
from .models import (
    DetailedModel,
    ForcedModel,
    HealthModel,
    LiveModel,
    OneServiceModel,
    ReadyModel,
    StartedModel,
)
from .responses import detailed, health, is_started, out_of_sight, service_facts, unready

"""Both the tree and the monitor answer from memory."""
FORCE_TIMEOUT: Final = 305.0
"""More than the settings allow one look; the board keeps the real limit."""


def health_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes that watchers of the process ask."""
    blueprint = Blueprint("health", __name__)

    async def view() -> HealthView | None:
        try:
            return await doors.monitor.ask(HealthQuery(), timeout=LOOK)
        except (AskFailed, MailboxFull):
            return None

    async def tree() -> Node | None:
        try:
            return await doors.tree.ask(TreeQuery(), timeout=LOOK)
        except (AskFailed, MailboxFull):
            return None

    @blueprint.get("/health")
    @documented(HealthModel)
    @documented(HealthModel, status=503)
    async def simple() -> Response:
        """Tell in short how the parts are; 503 with three issues or more."""
        body = health(await doors.tree.ask(TreeQuery(), timeout=LOOK), await view(), datetime.now(UTC))
        kind = request.accept_mimetypes.best_match(["application/json", "application/health+json"])
        status = 503 if body["status"] == "unhealthy" else 200
        return Response(json.dumps(body), status, content_type=kind or "application/json")

    @blueprint.get("/health/detailed")
    @documented(DetailedModel)
    @documented(DetailedModel, status=503)
    async def all_services() -> tuple[Json, int]:
        """Tell of each service what was last seen of it; 503 when the monitor gives no answer."""
        seen = await view()
        return (out_of_sight(), 503) if seen is None else (detailed(seen), 200)

    @blueprint.get("/health/service/<name>")
    @documented(OneServiceModel)
    async def one_service(name: str) -> Json:
        """Tell what was last seen of one service."""
        try:
            (service,) = (await doors.monitor.ask(HealthQuery(name=name), timeout=LOOK)).services
        except NoSuchService as refusal:
            raise Problem(404, "no_such_service", str(refusal)) from refusal
        return {"name": service.name, **service_facts(service)}

    @blueprint.post("/health/force-check")
    @documented(ForcedModel)
    async def force_check() -> Json:
        """Look at all services now."""
        seen = await doors.monitor.ask(ForceCheck(), timeout=FORCE_TIMEOUT)
        return {
            "message": f"All services were checked: {seen.overall}",
            "timestamp": iso(datetime.now(UTC)),
            "overall_status": seen.overall,
            "services": {service.name: service_facts(service) for service in seen.services},
        }

    @blueprint.get("/livez")
    @documented(LiveModel)
    async def livez() -> Json:
        """Answer, which is all that a living process must."""
        return {"status": "ok"}

    @blueprint.get("/readyz")
    @documented(ReadyModel)
    @documented(ReadyModel, status=503)
    async def readyz() -> tuple[Json, int]:
        """Tell whether the process has what it needs: the record, and all its parts."""
        reasons = unready(await tree(), await view())
        return {"status": "not ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200

    @blueprint.get("/startupz")
    @documented(StartedModel)
    @documented(StartedModel, status=503)
    async def startupz() -> tuple[Json, int]:
        """Tell whether start-up has finished."""
        started = is_started(await tree())
        return {"status": "started" if started else "starting"}, 200 if started else 503

    return blueprint
