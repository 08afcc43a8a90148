"""Runs the whole house: plans it from the settings, starts the tree, and keeps it until a signal."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Never

import structlog
import trio

from actors.addresses import TreeAddresses
from actors.portals.browser.chromium import find_chromium
from actors.portals.definition.configured_credentials import credentials_of
from actors.portals.definition.definition_file import load_definition
from actors.portals.errors import DefinitionError, SecretKeyUnusable
from actors.portals.login_store import open_login_store
from actors.queue.worker.handler import Handler
from actors.resolved_config import ResolvedConfig
from actors.services import DataDir, DataDirFault, Instance, open_data_dir, remove_instance, write_instance
from actors.settings import EMBEDDED, Settings, SettingsError, local_url, mask_url, portal_file
from actors.spec_builder import SpecBuilder
from actors.tree import tree
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
from .live.hub import HubMessage, LiveHub
from .logs import configure_logs
from .server.web_server import WebServer

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("house")

LAG_PERIOD: Final = 0.5
"""Seconds between two measurements of how late the event loop is."""
PRACTICE: Final = (sys.executable, "-m", "web.practice")


def run(settings: Settings, path: Path, *, handlers: Mapping[str, Handler] | None = None) -> int:
    """Run botvisor on a data directory until SIGINT or SIGTERM, and return its exit code.

    ``handlers`` do the tasks of the types that they are named for.

    What keeps it from running is told in one sentence on standard error.
    """
    configure_logs(settings.runtime.log_level)
    try:
        with open_data_dir(path) as data_dir:
            trio.run(_live, replace(plan(settings, data_dir), handlers=handlers or {}))
    except (SettingsError, DefinitionError) as error:
        return _refuse(error, ExitCode.MISCONFIGURED)
    except DataDirFault as error:
        return _refuse(error, ExitCode.START_FAILED)
    except (StartFailed, IntensityReached) as error:
        return _refuse(error, ExitCode.of(error))
    return ExitCode.OK


def plan(settings: Settings, data_dir: DataDir) -> ResolvedConfig:
    """Make the choices that the settings leave open, once, so that a restart does not make them anew.

    Raises:
      SettingsError: the settings ask for a browser or a key that is not there.
      DefinitionError: the portal definition cannot be used.
    """
    sessions, practice = settings.sessions, settings.practice
    definition = load_definition(portal_file(sessions.portal))
    ours = practice.enabled and definition.name == "practice"
    practice = replace(practice, port=practice.port or _free_port(practice.host))
    web = replace(settings.web, port=settings.web.port or _free_port(settings.web.host))
    base_url = sessions.portal_url or (local_url(practice.host, practice.port) if ours else "")
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
            definition.name, os.environ, credentials_of(settings, definition)
        ),
        logins=logins,
        chromium=chromium,
        practice=PRACTICE,
        owner=EMBEDDED if settings.database.url == EMBEDDED else data_dir.name,
    )


async def _live(chosen: ResolvedConfig) -> None:
    """Keep the tree until a signal.

    Raises:
      StartFailed, IntensityReached: as from ``open_system``.
    """
    bus = Bus()
    failure: RuntimeFault | None = None
    addresses = TreeAddresses()
    listening: list[str] = []
    application = tree(chosen, addresses, bus, _front(chosen, addresses, bus, listening.append))
    async with trio.open_nursery() as nursery:
        await nursery.start(_log_lifecycle, bus)
        # The command line has held signals back until here: before any child is there to inherit that.
        async with until_signal(_log_signal):
            try:
                stop_timeout = chosen.settings.runtime.stop_timeout_seconds
                async with open_system(
                    application, bus=bus, stop_timeout=stop_timeout, lag_period=LAG_PERIOD
                ) as system:
                    freeze_heap()
                    _announce(chosen, listening[-1])
                    await system.ended()
            except (StartFailed, IntensityReached) as error:
                failure = error
            finally:
                remove_instance(chosen.data_dir)
        nursery.cancel_scope.cancel()
    if failure is not None:
        # Kept until here, as a nursery would have wrapped it.
        raise failure
    LOGGER.info("stopped")


def _front(
    chosen: ResolvedConfig, to: TreeAddresses, bus: Bus, on_listening: Callable[[str], None]
) -> SupervisorSpec:
    """The front end's own branch: the house's doors to the actors, and who serves them."""
    settings, grow = chosen.settings.web, SpecBuilder(chosen.settings)
    hub: Address[HubMessage] = Address("hub", capacity=1024)
    doors = ActorAddresses(
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
    )
    return grow.branch(
        Address("web"),
        grow.worker(
            hub,
            lambda: LiveHub(
                bus,
                settings,
                session_controller=doors.session_controller,
                queue=doors.queue,
                reader=doors.reader,
            ),
        ),
        grow.worker(Address[Never]("server"), lambda: WebServer(doors, settings, on_listening=on_listening)),
    )


def _announce(chosen: ResolvedConfig, web_url: str) -> None:
    practice = chosen.settings.practice
    instance = Instance(
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        web_url=web_url,
        practice_url=local_url(practice.host, practice.port) if practice.enabled else None,
        database=mask_url(chosen.dsn),
        redis=mask_url(chosen.redis_url),
    )
    write_instance(chosen.data_dir, instance)
    LOGGER.info(
        "ready",
        page=instance.web_url,
        engine=chosen.engine,
        practice=instance.practice_url,
        database=instance.database,
        redis=instance.redis,
    )


def _log_signal(heard: signal.Signals) -> None:
    LOGGER.info("stopping", signal=heard.name)


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
                        absence=event.absence,
                        restart_in=None if event.delay is None else round(event.delay, 3),
                        exc_info=None if event.absence else event.error,
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
