"""The web server as an actor: it is ready when it listens, and stops with a word to its clients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Never

import structlog
import trio

from actors.settings import WebSettings
from runtime import Actor

from ..api.addresses import ActorAddresses
from ..api.app import create_app
from .limits import Limits
from .listener import serve
from .response_cache import shortcuts_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web")


class WebServer(Actor[Never]):
    """Serves REST, WebSocket and the page; takes no messages but the runtime's own."""

    def __init__(
        self,
        doors: ActorAddresses,
        settings: WebSettings,
        *,
        on_listening: Callable[[str], None] | None = None,
    ) -> None:
        self._doors = doors
        self._settings = settings
        self._on_listening = on_listening

    async def started(self) -> None:
        """Listen.

        Raises:
            CannotListen: the address is in use, or none to listen at.
        """
        closing = trio.Event()
        app = create_app(self._doors, self._settings, closing=closing)
        limits = Limits(
            ping_interval=self._settings.ping_interval_seconds,
            ping_timeout=self._settings.ping_timeout_seconds,
        )
        run = partial(
            serve,
            app,
            self._settings.host,
            self._settings.port,
            closing=closing,
            limits=limits,
            shortcuts=shortcuts_of(app),
        )
        urls: list[str] = await self.context.nursery.start(run)
        url = urls[0]
        self.context.detail["url"] = url
        LOGGER.info("web_server_listened", url=url)
        if self._on_listening is not None:
            self._on_listening(url)
