"""The web server actor: ready when it listens; at a stop it closes WebSockets with 1001."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Never

import structlog
import trio

from actors.settings import WebSettings
from runtime import Actor

from ..api.addresses import ActorAddresses
from ..api.app import create_app
from ..capability import WebCapability
from .limits import Limits
from .listener import serve
from .response_cache import make_response_cache

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web")


class WebServer(Actor[Never]):
    """Serves the REST API, the WebSocket and the page; handles no messages."""

    def __init__(
        self,
        actors: ActorAddresses,
        settings: WebSettings,
        *,
        plugins: Sequence[WebCapability] = (),
        on_listening: Callable[[str], None] | None = None,
    ) -> None:
        self._actors = actors
        self._settings = settings
        self._plugins = plugins
        self._on_listening = on_listening

    async def started(self) -> None:
        """Listen.

        Raises:
            CannotListen: the address is in use or invalid.
        """
        closing = trio.Event()
        app = create_app(self._actors, self._settings, plugins=self._plugins, closing=closing)
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
            response_cache=make_response_cache(app),
        )
        urls: list[str] = await self.context.nursery.start(run)
        url = urls[0]
        self.context.detail["url"] = url
        LOGGER.info("web_server_listening", url=url)
        if self._on_listening is not None:
            self._on_listening(url)
