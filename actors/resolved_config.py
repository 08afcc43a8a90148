"""What the settings of one run came to."""

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
    """What the settings came to: the choices that are made once, before the tree is planted."""

    settings: Settings
    data_dir: DataDir
    definition: PortalDefinition
    credentials: Credentials
    logins: LoginStore
    """The log-ins of all sessions, kept over restarts."""
    chromium: Path | None
    """The browser for the sessions; None runs them on the http engine."""
    practice: tuple[str, ...]
    """The program that is the practice portal."""
    handlers: Mapping[str, Handler] = field(default_factory=dict[str, Handler])
    """Who does the tasks of each type, in this instance."""
    owner: str = EMBEDDED
    """This instance, for all who share its database, and the same after its restart."""

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
