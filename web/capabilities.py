"""The registry of the front end: every resource, in the order of ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Final

from actors.settings import SettingsError

from .api.analytics.capability import ANALYTICS
from .api.bot.capability import BOT, BOT_TASKS
from .api.configuration.capability import CONFIGURATION
from .api.health.capability import HEALTH
from .api.mirror.capability import MIRROR
from .api.realtime.capability import REALTIME
from .api.sessions.capability import SESSIONS
from .api.supervisor.capability import SUPERVISOR
from .api.tasks.capability import TASKS
from .capability import WebCapability

WEB_CAPABILITIES: Final[Sequence[WebCapability]] = (
    BOT,
    SESSIONS,
    CONFIGURATION,
    ANALYTICS,
    REALTIME,
    BOT_TASKS,
    TASKS,
    MIRROR,
    HEALTH,
    SUPERVISOR,
)
"""Botvisor's own."""


def web_capability_of(module: ModuleType) -> WebCapability | None:
    """The front end of a plugin's module; None where it has none.

    Raises:
        SettingsError: its ``WEB`` is no `WebCapability`, or has the name of another.
    """
    web: object = getattr(module, "WEB", None)
    if web is None:
        return None
    if not isinstance(web, WebCapability):
        raise SettingsError("plugins.modules", f"{module.__name__}.WEB is no web.capability.WebCapability")
    if any(web.name == known.name for known in WEB_CAPABILITIES):
        raise SettingsError("plugins.modules", f"{module.__name__}.WEB: the name {web.name} is taken")
    return web
