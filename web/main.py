"""The application: resolves the configuration, starts the tree, and runs until a signal."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Never

import structlog
import trio

from actors.addresses import TreeAddresses
from actors.capability import SharedObjects
from actors.plugins import Plugin
from actors.portals.browser.chromium import find_chromium
from actors.portals.definition.credentials import configured_credentials
from actors.portals.definition.definition_file import load_definition
from actors.portals.errors import DefinitionError, SecretKeyUnusable
from actors.portals.login_store import open_login_store
from actors.queue.worker.handler import Handler
from actors.resolved_config import ResolvedConfig
from actors.services import DataDir, DataDirFault, Instance, open_data_dir, remove_instance, write_instance
from actors.settings import EMBEDDED, Settings, SettingsError, local_url, mask_url, portal_file
from actors.spec_builder import SpecBuilder
from actors.tree import CAPABILITIES, tree
from runtime import (
    Address,
    Bus,
    ChildFailed,
    ChildStarted,
    ChildStopped,
    ExitCode,
    IntensityReached,
    LifecycleEvent,
    RuntimeFault,
    StartFailed,
    SupervisorSpec,
    describe,
    freeze_heap,
    open_system,
    until_signal,
)

from .api.addresses import ActorAddresses
from .capabilities import web_capability_of
from .live.hub import HubMessage, LiveHub
from .logs import configure_logs
from .server.web_server import WebServer

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("application")

LAG_PERIOD: Final = 0.5
"""Seconds between two measurements of the event loop's lag."""
PRACTICE: Final = (sys.executable, "-m", "web.practice")


def run(
    settings: Settings,
    path: Path,
    *,
    handlers: Mapping[str, Handler] | None = None,
    plugins: Sequence[Plugin] = (),
) -> int:
    """Run botvisor on a data directory until SIGINT or SIGTERM, and return its exit code.

    ``handlers`` execute tasks of the types that they are named for, in this process.

    What prevents a start is one sentence on standard error.
    """
    configure_logs(settings.runtime.log_level)
    try:
        with open_data_dir(path) as data_dir:
            config = replace(
                resolve(settings, data_dir),
                handlers=handlers or {},
                plugin_settings={plugin.capability.name: plugin.settings for plugin in plugins},
            )
            trio.run(Application(config, plugins).run)
    except (SettingsError, DefinitionError) as error:
        return _refuse(error, ExitCode.MISCONFIGURED)
    except DataDirFault as error:
        return _refuse(error, ExitCode.START_FAILED)
    except (StartFailed, IntensityReached) as error:
        return _refuse(error, ExitCode.of(error))
    return ExitCode.OK


def resolve(settings: Settings, data_dir: DataDir) -> ResolvedConfig:
    """Make the choices that the settings leave open, once, so that a restart does not make them anew.

    Raises:
      SettingsError: the settings ask for a browser or a key that is not there.
      DefinitionError: the portal definition cannot be used.
    """
    sessions, practice = settings.sessions, settings.practice
    definition = load_definition(portal_file(sessions.portal))
    is_practice = practice.enabled and definition.name == "practice"
    practice = replace(practice, port=practice.port or _free_port(practice.host))
    web = replace(settings.web, port=settings.web.port or _free_port(settings.web.host))
    base_url = sessions.portal_url or (local_url(practice.host, practice.port) if is_practice else "")
    chromium = None if sessions.engine == "http" else find_chromium(settings.browser.executable)
    if chromium is None and sessions.engine == "browser":
        raise SettingsError(
            "sessions.engine", "'browser' needs a Chromium: install one or name it in browser.executable"
        )
    try:
        logins = open_login_store(data_dir.logins, sessions.secret_key_file)
    except SecretKeyUnusable as error:
        raise SettingsError("sessions.secret_key_file", str(error)) from None
    return ResolvedConfig(
        settings=replace(settings, practice=practice, web=web),
        data_dir=data_dir,
        definition=replace(definition, base_url=base_url) if base_url else definition,
        credentials=definition.credentials.resolve(
            definition.name, os.environ, configured_credentials(settings, definition.name)
        ),
        logins=logins,
        chromium=chromium,
        practice=PRACTICE,
        owner=EMBEDDED if settings.database.url == EMBEDDED else data_dir.name,
    )


class Application:
    """The tree of one configuration with its front end."""

    def __init__(self, config: ResolvedConfig, plugins: Sequence[Plugin] = ()) -> None:
        """Make its addresses; nothing starts.

        Raises:
          SettingsError: a plugin's front end cannot be used.
        """
        self._config = config
        self._capabilities = [plugin.capability for plugin in plugins]
        front_ends = (web_capability_of(plugin.module) for plugin in plugins)
        self._web_capabilities = [each for each in front_ends if each is not None]
        self._bus = Bus()
        self._addresses = TreeAddresses()
        self._shared = SharedObjects((*CAPABILITIES, *self._capabilities))
        self._web_url = ""
        """Where the server listens; known once it does, and again after its restart."""

    async def run(self) -> None:
        """Run until a signal.

        Raises:
          StartFailed, IntensityReached: as from ``open_system``.
        """
        failure: RuntimeFault | None = None
        root = tree(
            self._config,
            self._addresses,
            self._bus,
            self._shared,
            self._front_end(),
            plugins=self._capabilities,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(_log_lifecycle, self._bus)
            # The command line blocked the signals until here, before any child could inherit that.
            async with until_signal(_log_signal):
                try:
                    stop_timeout = self._config.settings.runtime.stop_timeout_seconds
                    async with open_system(
                        root, bus=self._bus, stop_timeout=stop_timeout, lag_period=LAG_PERIOD
                    ) as system:
                        freeze_heap()
                        self._write_instance()
                        await system.ended()
                except (StartFailed, IntensityReached) as error:
                    failure = error
                finally:
                    remove_instance(self._config.data_dir)
            nursery.cancel_scope.cancel()
        if failure is not None:
            # Raised here, as a nursery would wrap it.
            raise failure
        LOGGER.info("stopped")

    def _front_end(self) -> SupervisorSpec:
        """The last branch: the hub of the WebSocket clients, and the server."""
        to, bus, settings, specs = (
            self._addresses,
            self._bus,
            self._config.settings.web,
            SpecBuilder(self._config.settings),
        )
        hub: Address[HubMessage] = Address("hub", capacity=1024)
        actors = ActorAddresses(
            session_controller=to.session_controller,
            reader=to.db_reader,
            writer=to.db_writer,
            queue=to.task_queue,
            screenshot_store=to.screenshot_store,
            mirror=to.redis_sync,
            monitor=to.health_registry,
            tree=to.root,
            hub=hub,
            bus=bus,
            shared=self._shared,
        )
        return specs.supervisor(
            Address("web"),
            specs.worker(
                hub,
                lambda: LiveHub(
                    bus,
                    settings,
                    session_controller=actors.session_controller,
                    queue=actors.queue,
                    reader=actors.reader,
                    translations={
                        event: translation
                        for each in self._web_capabilities
                        for event, translation in each.messages.items()
                    },
                ),
            ),
            specs.worker(
                Address[Never]("server"),
                lambda: WebServer(
                    actors, settings, plugins=self._web_capabilities, on_listening=self._listening
                ),
            ),
        )

    def _listening(self, url: str) -> None:
        self._web_url = url

    def _write_instance(self) -> None:
        """Write where this instance is reached, for the command line, and log it."""
        config = self._config
        practice = config.settings.practice
        instance = Instance(
            pid=os.getpid(),
            started_at=datetime.now(UTC),
            web_url=self._web_url,
            practice_url=local_url(practice.host, practice.port) if practice.enabled else None,
            database=mask_url(config.dsn),
            redis=mask_url(config.redis_url),
        )
        write_instance(config.data_dir, instance)
        LOGGER.info(
            "ready",
            page=instance.web_url,
            engine=config.engine,
            practice=instance.practice_url,
            database=instance.database,
            redis=instance.redis,
        )


def _log_signal(received: signal.Signals) -> None:
    LOGGER.info("stopping", signal=received.name)


async def _log_lifecycle(bus: Bus, *, task_status: trio.TaskStatus[None]) -> None:
    """The one place where the ends and restarts of children are logged."""
    with bus.subscribe(LifecycleEvent, capacity=1024) as events:
        task_status.started()
        async for event in events:
            match event:
                case ChildFailed():
                    LOGGER.warning(
                        "child_failed",
                        path=event.path,
                        error=describe(event.error),
                        dependency_unavailable=event.dependency_unavailable,
                        restart_in=None if event.delay is None else round(event.delay, 3),
                        exc_info=None if event.dependency_unavailable else event.error,
                    )
                case ChildStarted() if event.restarts:
                    LOGGER.info("child_restarted", path=event.path, restarts=event.restarts)
                case ChildStopped() if event.killed:
                    LOGGER.warning("child_killed", path=event.path)
                case _:
                    pass


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _refuse(error: Exception, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"botvisor: {describe(error)}\n")
    return code
