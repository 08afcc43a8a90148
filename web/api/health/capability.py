"""Health: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from ...capability import WebCapability
from .routes import health_blueprint

HEALTH: Final = WebCapability(
    name="health",
    description="Health of the services and of this process.",
    routes=health_blueprint,
)
