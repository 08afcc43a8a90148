"""Messages of other programs: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from ...capability import WebCapability
from .routes import realtime_blueprint

REALTIME: Final = WebCapability(
    name="realtime",
    description="Messages of other programs to the WebSocket clients.",
    routes=realtime_blueprint,
)
