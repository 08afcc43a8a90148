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

from ...database.records import rows, settings
from ..sights import eventually


async def test_a_database_that_lets_us_in_is_healthy(database: str):
    """It says which one, and nothing stays behind."""
    sight = await DatabaseCheck(settings(), database, timeout=5)()
    assert sight.status is ServiceStatus.HEALTHY
    assert sight.evidence.startswith("PostgreSQL 1")
    ours = "select count(*) as there from pg_stat_activity where application_name = 'botvisor monitor'"
    await eventually(lambda: rows(database, ours)[0]["there"] == 0)


async def test_a_standby_is_not_what_is_needed(database: str):
    """It answers, and takes no writes."""
    rows(database, "alter role botvisor set default_transaction_read_only = on")
    try:
        sight = await DatabaseCheck(settings(), database, timeout=5)()
    finally:
        rows(database, "set transaction_read_only = off; alter role botvisor reset all")
    assert sight.status is ServiceStatus.DISCONNECTED
    assert sight.error is not None
    assert "read-only at the moment" in sight.error


async def test_a_wrong_address_shows_no_secret():
    """Neither an address where nobody is, nor one that makes no sense."""
    nobody = await DatabaseCheck(settings(), "postgresql://me:hunter2@127.0.0.1:1/atoz", timeout=5)()
    senseless = await DatabaseCheck(settings(), "postgresql://me:hun@ter2@[x", timeout=5)()
    assert (nobody.status, senseless.status) == (ServiceStatus.DISCONNECTED, ServiceStatus.UNHEALTHY)
    assert nobody.error is not None
    assert "PostgreSQL at 127.0.0.1:1 is away" in nobody.error
    for sight in (nobody, senseless):
        assert "hun" not in f"{sight.evidence} {sight.error}"


async def test_a_database_that_stops_freezes_and_returns(data_dir: DataDir):
    """Each is seen for what it is, and a frozen one holds up a look, not more."""
    server = PostgresServer(data_dir)
    timeout = 0.5
    look = DatabaseCheck(settings(), server.dsn, timeout=timeout)

    async def cut_off() -> HealthCheckResult | None:
        with trio.move_on_after(timeout):
            return await look()
        return None

    async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")):
        assert (await look()).status is ServiceStatus.HEALTHY
        pid = postmaster(data_dir.postgres)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert [await cut_off() for _ in range(3)] == [None] * 3
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await look()).status is ServiceStatus.HEALTHY
    gone = await look()
    assert gone.status is ServiceStatus.DISCONNECTED
    assert gone.error is not None
    assert "is away" in gone.error
    async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")):
        assert (await look()).status is ServiceStatus.HEALTHY


def postmaster(folder: Path) -> int:
    """The process that lets new clients in."""
    (file,) = folder.rglob("postmaster.pid")
    return int(file.read_text(encoding="utf-8").splitlines()[0])
