"""The checks of `botvisor check`: each tries one connection and reports what it found.

A check never raises for a failure that it reports, and the timeouts of the settings limit it.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from actors.database.connections.connection import probe_database
from actors.database.errors import DatabaseFault
from actors.mirror.connection import MirrorFault, probe_redis
from actors.portals import DefinitionError, load_definition
from actors.portals.browser.chromium import find_chromium
from actors.services import BinaryMissing, DataDirFault, Instance, read_instance
from actors.services.cluster import postgres_programs
from actors.services.data_dir import owner
from actors.services.valkey import valkey_program as valkey_binary
from actors.settings import EMBEDDED, Settings, is_loopback, mask_url, portal_file

from ..errors import CommandFailed
from ..options import Configuration
from ..render.output import plain
from .instance import Endpoint
from .snapshot import fetch_bot


class CheckState(StrEnum):
    """Result of a check."""

    OK = "ok"
    WAITING = "waiting"
    """Not testable before `botvisor up` runs."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheck:
    """Result of one check."""

    name: str
    state: CheckState
    detail: str


def run_checks(configuration: Configuration) -> Iterator[ConnectionCheck]:
    """Run all checks, in the order in which `up` needs the connections."""
    settings = configuration.settings
    instance, data_dir_check = check_data_dir(configuration.data_dir)
    yield ConnectionCheck(name="configuration", state=CheckState.OK, detail=settings.runtime.environment)
    yield data_dir_check
    yield check_postgres(settings, instance)
    yield check_valkey(settings, instance)
    yield check_chromium(settings)
    if instance:
        yield check_web(settings, instance)
    else:
        yield check_port("web", settings.web.host, settings.web.port)
        if settings.practice.enabled:
            yield check_port("practice", settings.practice.host, settings.practice.port)
    yield check_portal(settings, instance)


def check_data_dir(path: Path) -> tuple[Instance | None, ConnectionCheck]:
    """Check that the data directory is usable, and read which instance uses it."""

    def result(state: CheckState, detail: str) -> ConnectionCheck:
        return ConnectionCheck(name="data directory", state=state, detail=detail)

    try:
        instance = read_instance(path)
        if instance:
            return instance, result(CheckState.OK, f"{path}, in use by the instance with pid {instance.pid}")
        if pid := owner(path):
            # The instance is starting or stopping.
            return None, result(CheckState.FAILED, f"{path} is in use by process {pid}, which is not ready")
    except DataDirFault as error:
        return None, result(CheckState.FAILED, str(error))
    existing = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    try:
        # Permission bits say nothing about root, quotas and read-only mounts; a write does.
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return None, result(CheckState.FAILED, f"{existing} cannot be written: {error.strerror}")
    return None, result(CheckState.OK, f"{path}" if existing == path else f"{path}, created by `up`")


def check_postgres(settings: Settings, instance: Instance | None) -> ConnectionCheck:
    """Check that the database answers; for an embedded one that is not running, that its program exists."""
    database = settings.database
    if database.url == EMBEDDED and instance is None:
        return _embedded("database", "PostgreSQL", postgres_programs)
    url = instance.database if instance and database.url == EMBEDDED else database.url
    try:
        answer = probe_database(database, url)
    except DatabaseFault as error:
        return ConnectionCheck(name="database", state=CheckState.FAILED, detail=plain(str(error)))
    return ConnectionCheck(name="database", state=CheckState.OK, detail=f"{answer} at {mask_url(url)}")


def check_valkey(settings: Settings, instance: Instance | None) -> ConnectionCheck:
    """Check that Redis answers; for an embedded one that is not running, that its program exists."""
    redis = settings.redis
    if redis.url == EMBEDDED and instance is None:
        return _embedded("redis", "Valkey", valkey_binary)
    url = instance.redis if instance and redis.url == EMBEDDED else redis.url
    try:
        answer = probe_redis(redis, url)
    except MirrorFault as error:
        return ConnectionCheck(name="redis", state=CheckState.FAILED, detail=plain(str(error)))
    return ConnectionCheck(name="redis", state=CheckState.OK, detail=f"{answer} at {mask_url(url)}")


def _embedded(name: str, server: str, find: Callable[[], Path]) -> ConnectionCheck:
    try:
        program = find()
    except BinaryMissing as error:
        return ConnectionCheck(name=name, state=CheckState.FAILED, detail=str(error))
    return ConnectionCheck(
        name=name, state=CheckState.WAITING, detail=f"embedded {server}, started by `up` from {program}"
    )


def check_chromium(settings: Settings) -> ConnectionCheck:
    """Check that the Chromium that sessions need exists."""

    def result(state: CheckState, detail: str) -> ConnectionCheck:
        return ConnectionCheck(name="chromium", state=state, detail=detail)

    configured, engine = settings.browser.executable, settings.sessions.engine
    if engine == "http":
        return result(CheckState.OK, 'not needed: sessions.engine is "http"')
    program = find_chromium(configured)
    if program:
        return result(CheckState.OK, str(program))
    if configured:
        return result(CheckState.FAILED, f"browser.executable is {plain(configured)}, which cannot be run")
    if engine == "browser":
        return result(CheckState.FAILED, "not found on PATH or where Playwright keeps its own")
    return result(CheckState.OK, "not found: sessions use the http engine")


def check_web(settings: Settings, instance: Instance) -> ConnectionCheck:
    """Check that the running instance answers."""
    endpoint = Endpoint(url=instance.web_url.rstrip("/"), token=settings.web.token.get_secret_value())
    try:
        bot, _ = fetch_bot(endpoint)
    except CommandFailed as error:
        return ConnectionCheck(name="web", state=CheckState.FAILED, detail=str(error))
    return ConnectionCheck(
        name="web", state=CheckState.OK, detail=f"answers at {endpoint.url}; the bot is {plain(bot.status)}"
    )


def check_port(name: str, host: str, port: int) -> ConnectionCheck:
    """Check that a server could listen on the port."""
    name = f"{name} port"
    address_text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            # As the server itself does, so that connections in TIME_WAIT do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        return ConnectionCheck(
            name=name, state=CheckState.FAILED, detail=f"{address_text}: {error.strerror or error}"
        )
    return ConnectionCheck(
        name=name, state=CheckState.OK, detail=f"{address_text} is free" if port else "any free port"
    )


def check_portal(settings: Settings, instance: Instance | None) -> ConnectionCheck:
    """Check that the portal definition is valid and the login page answers."""

    def result(state: CheckState, detail: str) -> ConnectionCheck:
        return ConnectionCheck(name="portal", state=state, detail=detail)

    sessions = settings.sessions
    try:
        definition = load_definition(portal_file(sessions.portal))
        if sessions.portal_url:
            definition = definition.at(sessions.portal_url)
        elif definition.name == "practice" and settings.practice.enabled:
            if instance is None or instance.practice_url is None:
                return result(CheckState.WAITING, "the practice portal, started by `up`")
            definition = definition.at(instance.practice_url.rstrip("/"))
    except DefinitionError as error:
        return result(CheckState.FAILED, plain(str(error)))
    url = definition.url(definition.login.path)
    shown = mask_url(url)
    try:
        response = httpx.get(
            url,
            timeout=definition.timeout_seconds,
            follow_redirects=True,
            trust_env=not is_loopback(httpx.URL(url).host),
        )
    except httpx.HTTPError as error:
        return result(CheckState.FAILED, f"{shown}: {plain(str(error)) or type(error).__name__}")
    if not response.is_success:
        return result(CheckState.FAILED, f"{shown} answered {response.status_code}")
    return result(CheckState.OK, f"{definition.name} answers at {shown}")
