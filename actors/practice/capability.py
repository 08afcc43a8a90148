"""Capability "practice": the practice portal, if the settings enable it.

It comes before the sessions in the supervision tree, so that it stops after them: their requests in progress
need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from .portal_server import PracticePortal


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec | None]:
    """Return the portal as a child process, or nothing if it is not enabled."""
    config = context.config
    practice = config.settings.practice
    if not practice.enabled:
        return []
    return [
        context.specs.worker(
            Address("portal"),
            lambda: PracticePortal(practice, config.practice, config.data_dir.practice / "portal.sqlite"),
        )
    ]


PRACTICE: Final = Capability(name="practice", children=children)
