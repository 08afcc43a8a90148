"""Analytics: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from ...capability import WebCapability
from .routes import analytics_blueprint

ANALYTICS: Final = WebCapability(
    name="analytics",
    description="Figures of the jobs over time.",
    routes=analytics_blueprint,
)
