"""The mirror: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from actors.mirror.messages import MirrorBusy, MirrorStatusUnavailable

from ...capability import WebCapability
from ...errors import ProblemKind
from .routes import mirror_blueprint

MIRROR: Final = WebCapability(
    name="mirror",
    description="Redis, compared with the database.",
    routes=mirror_blueprint,
    problems={
        MirrorStatusUnavailable: ProblemKind(status=503, code="mirror_status_unavailable"),
        MirrorBusy: ProblemKind(status=503, code="mirror_busy"),
    },
)
