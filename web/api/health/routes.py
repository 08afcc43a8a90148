"""``/health``, ``/livez``, ``/readyz`` and ``/startupz``: service status and process probes.

All of them answer from memory, so they answer at once whatever is unavailable.
"""

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
from ..timeouts import QUERY_TIMEOUT
from .models import (
    DetailedModel,
    ForcedModel,
    HealthModel,
    LiveModel,
    OneServiceModel,
    ReadyModel,
    StartedModel,
)
from .responses import (
    detailed_json,
    health_json,
    is_started,
    missing_requirements,
    no_health_json,
    service_json,
)

FORCE_TIMEOUT: Final = 305.0
"""Seconds; longer than any check may take by the settings. The health registry applies the real limit."""


def health_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes of health and of the process probes."""
    blueprint = Blueprint("health", __name__)

    async def view() -> HealthView | None:
        try:
            return await actors.monitor.ask(HealthQuery(), timeout=QUERY_TIMEOUT)
        except (AskFailed, MailboxFull):
            return None

    async def tree() -> Node | None:
        try:
            return await actors.tree.ask(TreeQuery(), timeout=QUERY_TIMEOUT)
        except (AskFailed, MailboxFull):
            return None

    @blueprint.get("/health")
    @documented(HealthModel)
    @documented(HealthModel, status=503)
    async def get_health() -> Response:
        """Get a summary of the services; 503 with three issues or more."""
        body = health_json(
            await actors.tree.ask(TreeQuery(), timeout=QUERY_TIMEOUT), await view(), datetime.now(UTC)
        )
        content_type = request.accept_mimetypes.best_match(["application/json", "application/health+json"])
        status = 503 if body["status"] == "unhealthy" else 200
        return Response(json.dumps(body), status, content_type=content_type or "application/json")

    @blueprint.get("/health/detailed")
    @documented(DetailedModel)
    @documented(DetailedModel, status=503)
    async def list_services() -> tuple[Json, int]:
        """List the latest check of each service; 503 if the health registry gives no answer."""
        current = await view()
        return (no_health_json(), 503) if current is None else (detailed_json(current), 200)

    @blueprint.get("/health/service/<name>")
    @documented(OneServiceModel)
    async def get_service(name: str) -> Json:
        """Get the latest check of a service."""
        try:
            (service,) = (await actors.monitor.ask(HealthQuery(name=name), timeout=QUERY_TIMEOUT)).services
        except NoSuchService as refusal:
            raise Problem(404, "no_such_service", str(refusal)) from refusal
        return {"name": service.name, **service_json(service)}

    @blueprint.post("/health/force-check")
    @documented(ForcedModel)
    async def force_check() -> Json:
        """Check all services now."""
        checked = await actors.monitor.ask(ForceCheck(), timeout=FORCE_TIMEOUT)
        return {
            "message": f"All services were checked: {checked.overall}",
            "timestamp": iso(datetime.now(UTC)),
            "overall_status": checked.overall,
            "services": {service.name: service_json(service) for service in checked.services},
        }

    @blueprint.get("/livez")
    @documented(LiveModel)
    async def livez() -> Json:
        """Report that the process answers."""
        return {"status": "ok"}

    @blueprint.get("/readyz")
    @documented(ReadyModel)
    @documented(ReadyModel, status=503)
    async def readyz() -> tuple[Json, int]:
        """Report whether the process has started and can write to the database."""
        reasons = missing_requirements(await tree(), await view())
        return {"status": "not ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200

    @blueprint.get("/startupz")
    @documented(StartedModel)
    @documented(StartedModel, status=503)
    async def startupz() -> tuple[Json, int]:
        """Report whether start-up has finished."""
        started = is_started(await tree())
        return {"status": "started" if started else "starting"}, 200 if started else 503

    return blueprint
