"""The configuration of one run with all choices made: files read, ports, the browser and the key found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .portals.definition.definition import PortalDefinition
from .portals.login_store import LoginStore
from .portals.portal import Credentials
from .queue.worker.handler import Handler
from .services import DataDir, PostgresServer, ValkeyServer
from .settings import EMBEDDED, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """The settings and what they resolve to: once, so that an actor's restart does not resolve them anew."""

    settings: Settings
    data_dir: DataDir
    definition: PortalDefinition
    credentials: Credentials
    logins: LoginStore
    """The saved log-ins of all sessions."""
    chromium: Path | None
    """The executable for the browser engine; None selects the http engine."""
    practice: tuple[str, ...]
    """The command that runs the practice portal."""
    handlers: Mapping[str, Handler] = field(default_factory=dict[str, Handler])
    """Task handlers by task type, beside those of the capabilities and before them."""
    plugin_settings: Mapping[str, object] = field(default_factory=dict[str, object])
    """The settings of each plugin, by the name of its capability."""
    owner: str = EMBEDDED
    """The name under which this instance holds leases; the same after its restart."""

    @property
    def engine(self) -> str:
        return "http" if self.chromium is None else "browser"

    @property
    def dsn(self) -> str:
        url = self.settings.database.url
        return PostgresServer(self.data_dir).dsn if url == EMBEDDED else url

    @property
    def redis_url(self) -> str:
        url = self.settings.redis.url
        return ValkeyServer(self.data_dir).url if url == EMBEDDED else url
