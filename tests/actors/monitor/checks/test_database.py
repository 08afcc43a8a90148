from __future__ import annotations

import os
import signal
from pathlib import Path

import trio

from actors.monitor.checks.database import DatabaseCheck
from actors.monitor.checks.health_check import HealthCheckResult
from actors.monitor.status import ServiceStatus
from actors.services import DataDir, PostgresServer
from runtime import Address
from runtime.testing import run_actor

from ...database.harness import rows, settings
from ..observations import eventually


async def test_a_database_that_answers_is_healthy(database: str):
    """The evidence names the server; the connection is closed."""
    result = await DatabaseCheck(settings(), database, timeout=5)()
    assert result.status is ServiceStatus.HEALTHY
    assert result.evidence.startswith("PostgreSQL 1")
    query = "select count(*) as there from pg_stat_activity where application_name = 'botvisor monitor'"
    await eventually(lambda: rows(database, query)[0]["there"] == 0)


async def test_a_read_only_database_is_disconnected(database: str):
    """As a standby is."""
    rows(database, "alter role botvisor set default_transaction_read_only = on")
    try:
        result = await DatabaseCheck(settings(), database, timeout=5)()
    finally:
        rows(database, "set transaction_read_only = off; alter role botvisor reset all")
    assert result.status is ServiceStatus.DISCONNECTED
    assert result.error is not None
    assert "is read-only" in result.error


async def test_an_address_is_shown_without_its_password():
    """A closed port as well as an invalid address."""
    closed = await DatabaseCheck(settings(), "postgresql://me:hunter2@127.0.0.1:1/atoz", timeout=5)()
    invalid = await DatabaseCheck(settings(), "postgresql://me:hun@ter2@[x", timeout=5)()
    assert (closed.status, invalid.status) == (ServiceStatus.DISCONNECTED, ServiceStatus.UNHEALTHY)
    assert closed.error is not None
    assert "PostgreSQL at 127.0.0.1:1 is unavailable" in closed.error
    for result in (closed, invalid):
        assert "hun" not in f"{result.evidence} {result.error}"


async def test_a_database_freezes_stops_and_restarts(data_dir: DataDir):
    """Each has its own status, and a frozen one blocks only the check."""
    server = PostgresServer(data_dir)
    timeout = 0.5
    check = DatabaseCheck(settings(), server.dsn, timeout=timeout)

    async def cancelled_check() -> HealthCheckResult | None:
        with trio.move_on_after(timeout):
            return await check()
        return None

    async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")):
        assert (await check()).status is ServiceStatus.HEALTHY
        pid = postmaster(data_dir.postgres)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert [await cancelled_check() for _ in range(3)] == [None] * 3
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await check()).status is ServiceStatus.HEALTHY
    gone = await check()
    assert gone.status is ServiceStatus.DISCONNECTED
    assert gone.error is not None
    assert "is unavailable" in gone.error
    async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")):
        assert (await check()).status is ServiceStatus.HEALTHY


def postmaster(folder: Path) -> int:
    """The process that lets new clients in."""
    (file,) = folder.rglob("postmaster.pid")
    return int(file.read_text(encoding="utf-8").splitlines()[0])
