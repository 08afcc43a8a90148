"""What `botvisor check` looks at: each probe tries one thing for real and says what it found.

A probe never raises for what it is there to find, and is bounded by the timeouts of the settings.
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
from actors.mirror.connection import probe_redis
from actors.mirror.errors import MirrorFault
from actors.portals import DefinitionError, load_definition
from actors.portals.browser.chromium import find_chromium
from actors.services import BinaryMissing, DataDirFault, Instance, read_instance
from actors.services.cluster import binaries
from actors.services.data_dir import owner
from actors.services.valkey import binary as valkey_binary
from actors.settings import EMBEDDED, Settings, is_loopback, mask_url, portal_file

from ..errors import CommandFailed
from ..options import Configuration
from ..render.output import plain
from .instance import Endpoint
from .snapshot import bot_of


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WAITING = "waiting"
    """Nothing is wrong, and it can be tried only while `up` runs."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFinding:
    """What a probe found."""

    name: str
    state: State
    detail: str


def findings(chosen: Configuration) -> Iterator[ConnectionFinding]:
    """Yield what each probe found, in the order in which `up` needs the things."""
    settings = chosen.settings
    instance, finding = probe_data_dir(chosen.data_dir)
    yield ConnectionFinding(name="configuration", state=State.OK, detail=settings.runtime.environment)
    yield finding
    yield probe_postgres(settings, instance)
    yield probe_valkey(settings, instance)
    yield probe_chromium(settings)
    if instance:
        yield probe_answer(settings, instance)
    else:
        yield probe_port("web", settings.web.host, settings.web.port)
        if settings.practice.enabled:
            yield probe_port("practice", settings.practice.host, settings.practice.port)
    yield probe_portal(settings, instance)


def probe_data_dir(path: Path) -> tuple[Instance | None, ConnectionFinding]:
    """Find out whether the data directory serves, and which instance runs on it."""

    def found(state: State, detail: str) -> ConnectionFinding:
        return ConnectionFinding(name="data directory", state=state, detail=detail)

    try:
        instance = read_instance(path)
        if instance:
            return instance, found(State.OK, f"{path}, in use by the instance with pid {instance.pid}")
        if pid := owner(path):
            # While it starts or stops.
            return None, found(State.FAILED, f"{path} is in use by process {pid}, which is not ready")
    except DataDirFault as error:
        return None, found(State.FAILED, str(error))
    there = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    try:
        # By writing: rights alone say nothing about root, quotas and read-only mounts.
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return None, found(State.FAILED, f"{there} cannot be written: {error.strerror}")
    return None, found(State.OK, f"{path}" if there == path else f"{path}, made by `up`")


def probe_postgres(settings: Settings, instance: Instance | None) -> ConnectionFinding:
    """Find out whether the database answers; of an embedded one that does not run, whether it can."""
    database = settings.database
    if database.url == EMBEDDED and instance is None:
        return _embedded("database", "PostgreSQL", binaries)
    url = instance.database if instance and database.url == EMBEDDED else database.url
    try:
        answer = probe_database(database, url)
    except DatabaseFault as error:
        return ConnectionFinding(name="database", state=State.FAILED, detail=plain(str(error)))
    return ConnectionFinding(name="database", state=State.OK, detail=f"{answer} at {mask_url(url)}")


def probe_valkey(settings: Settings, instance: Instance | None) -> ConnectionFinding:
    """Find out whether Redis answers; of an embedded one that does not run, whether it can."""
    redis = settings.redis
    if redis.url == EMBEDDED and instance is None:
        return _embedded("redis", "Valkey", valkey_binary)
    url = instance.redis if instance and redis.url == EMBEDDED else redis.url
    try:
        answer = probe_redis(redis, url)
    except MirrorFault as error:
        return ConnectionFinding(name="redis", state=State.FAILED, detail=plain(str(error)))
    return ConnectionFinding(name="redis", state=State.OK, detail=f"{answer} at {mask_url(url)}")


def _embedded(name: str, server: str, find: Callable[[], Path]) -> ConnectionFinding:
    try:
        program = find()
    except BinaryMissing as error:
        return ConnectionFinding(name=name, state=State.FAILED, detail=str(error))
    return ConnectionFinding(
        name=name, state=State.WAITING, detail=f"embedded {server}, started by `up` from {program}"
    )


def probe_chromium(settings: Settings) -> ConnectionFinding:
    """Find out whether there is the Chromium that sessions would need."""

    def found(state: State, detail: str) -> ConnectionFinding:
        return ConnectionFinding(name="chromium", state=state, detail=detail)

    configured, engine = settings.browser.executable, settings.sessions.engine
    if engine == "http":
        return found(State.OK, 'not needed: sessions.engine is "http"')
    program = find_chromium(configured)
    if program:
        return found(State.OK, str(program))
    if configured:
        return found(State.FAILED, f"browser.executable is {plain(configured)}, which cannot be run")
    if engine == "browser":
        return found(State.FAILED, "not found on PATH or where Playwright keeps its own")
    return found(State.OK, "not found: sessions use the http engine")


def probe_answer(settings: Settings, instance: Instance) -> ConnectionFinding:
    """Find out whether the running instance answers."""
    endpoint = Endpoint(url=instance.web_url.rstrip("/"), token=settings.web.token.get_secret_value())
    try:
        bot, _ = bot_of(endpoint)
    except CommandFailed as error:
        return ConnectionFinding(name="web", state=State.FAILED, detail=str(error))
    return ConnectionFinding(
        name="web", state=State.OK, detail=f"answers at {endpoint.url}; the bot is {plain(bot.status)}"
    )


def probe_port(name: str, host: str, port: int) -> ConnectionFinding:
    """Find out whether a server could listen there."""
    name = f"{name} port"
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            # As servers do, so that connections that linger in TIME_WAIT do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1)
    except OSError as error:
        return ConnectionFinding(name=name, state=State.FAILED, detail=f"{place}: {error.strerror or error}")
    return ConnectionFinding(
        name=name, state=State.OK, detail=f"{place} is free" if port else "a free one is taken"
    )


def probe_portal(settings: Settings, instance: Instance | None) -> ConnectionFinding:
    """Find out whether the portal's definition can be read, and its log-in page."""

    def found(state: State, detail: str) -> ConnectionFinding:
        return ConnectionFinding(name="portal", state=state, detail=detail)

    sessions = settings.sessions
    try:
        definition = load_definition(portal_file(sessions.portal))
        if sessions.portal_url:
            definition = definition.at(sessions.portal_url)
        elif definition.name == "practice" and settings.practice.enabled:
            if instance is None or instance.practice_url is None:
                return found(State.WAITING, "the practice portal, started by `up`")
            definition = definition.at(instance.practice_url.rstrip("/"))
    except DefinitionError as error:
        return found(State.FAILED, plain(str(error)))
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
        return found(State.FAILED, f"{shown}: {plain(str(error)) or type(error).__name__}")
    if not response.is_success:
        return found(State.FAILED, f"{shown} answered {response.status_code}")
    return found(State.OK, f"{definition.name} answers at {shown}")
