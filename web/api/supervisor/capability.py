"""The tree of actors: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from ...capability import WebCapability
from .metrics import supervisor_metrics
from .routes import supervisor_blueprint

SUPERVISOR: Final = WebCapability(
    name="supervisor",
    description="The tree of actors.",
    routes=supervisor_blueprint,
    metrics=supervisor_metrics,
)
