"""`botvisor check`: tests everything that an instance needs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.services import PostgresServer, ValkeyServer, open_data_dir, write_instance
from runtime import Address
from runtime.testing import run_actor

from ..fake_instance import RESPONSES, fake_instance, instance_info
from ..process import SECRET, botvisor, free_port, taken_port, write_config


async def checked(home: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    result = await botvisor(home, "check", "--json", *arguments)
    report = json.loads(result.out)
    assert report["ok"] == (result.code == 0)
    assert SECRET not in result.out + result.err
    return result.code, {one["name"]: (one["state"], one["detail"]) for one in report["checks"]}


def free_ports() -> tuple[str, ...]:
    return ("--set", "web.port=0", "--set", "practice.port=0")


async def test_check_passes_without_configuration(home: dict[str, str]):
    """What `up` starts is waiting, which is no failure; no file is created."""
    path = Path(home["HOME"], "deep", "data")
    code, found = await checked(home, *free_ports(), "--data-dir", str(path))
    assert code == 0
    assert found["configuration"][0] == found["data directory"][0] == "ok"
    assert found["database"][0] == found["redis"][0] == found["portal"][0] == "waiting"
    assert not path.parent.exists()


async def test_check_prints_a_table(home: dict[str, str]):
    """One line per check: name, state and detail."""
    result = await botvisor(home, "check", *free_ports())
    assert result.code == 0
    assert result.err == ""
    assert re.search(r"^database +waiting  embedded PostgreSQL", result.out, re.MULTILINE)
    assert re.search(r"^web port +ok +any free port$", result.out, re.MULTILINE)


async def test_check_reports_every_failure(home: dict[str, str]):
    """Not only the first; no password is printed."""
    file = write_config(home, "")
    with taken_port() as port, fake_instance({}) as portal:
        code, found = await checked(
            home | {"DATABASE_URL": f"postgresql+asyncpg://u:{SECRET}@127.0.0.1:{free_port()}/d"},
            *("--data-dir", str(file / "sub")),
            *("--set", f"redis.url=redis://:{SECRET}@127.0.0.1:{free_port()}/0"),
            *("--set", "browser.executable=/nowhere/chromium"),
            *("--set", f"web.port={port}"),
            *("--set", "practice.port=0"),
            *("--set", f"sessions.portal_url={portal}"),
        )
    assert code == 1
    assert {name: state for name, (state, _) in found.items() if state != "failed"} == {
        "configuration": "ok",
        "practice port": "ok",
    }
    assert "Not a directory" in found["data directory"][1]
    assert re.match(
        r"PostgreSQL at 127\.0\.0\.1:\d+ is unavailable: Connection refused", found["database"][1]
    )
    assert re.match(r"Redis at 127\.0\.0\.1:\d+ is unavailable: .*refused", found["redis"][1])
    assert SECRET not in str(found)
    assert found["chromium"][1] == "browser.executable is /nowhere/chromium, which cannot be run"
    assert found["web port"][1] == f"127.0.0.1:{port}: Address already in use"
    assert found["portal"][1] == f"{portal}/login answered 404"


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("DATABASE_URL", f"postgresql://u:p%{SECRET}@h/d", "database"),
        ("DATABASE_URL", "hots=h", "database"),
        ("REDIS_URL", "redis://h/0?db=x&socket_timeout=never", "redis"),
    ],
)
async def test_check_reports_an_invalid_url(home: dict[str, str], variable: str, value: str, name: str):
    """Without the driver's message, which could contain the password."""
    code, found = await checked(home | {variable: value}, *free_ports())
    assert code == 1
    assert found[name][0] == "failed"
    assert "invalid" in found[name][1]


async def test_check_reports_a_missing_portal_definition(home: dict[str, str]):
    """With its file name."""
    code, found = await checked(home, *free_ports(), "--set", "sessions.portal=mine/own.toml")
    assert code == 1
    assert found["portal"] == ("failed", "mine/own.toml: cannot be read: No such file or directory")


async def test_check_reports_an_invalid_configuration_as_json(home: dict[str, str]):
    """With exit code 2."""
    result = await botvisor(home, "check", "--json", "--set", "web.prot=1")
    assert result.code == 2
    (only,) = json.loads(result.out)["checks"]
    assert (only["name"], only["state"]) == ("configuration", "failed")
    assert "did you mean web.port?" in result.err


async def test_check_connects_to_the_servers_of_a_running_instance(home: dict[str, str]):
    """The embedded ones, the web server and the portal."""
    path = Path(home["HOME"], "data")
    with (
        open_data_dir(path) as data_dir,
        fake_instance(RESPONSES) as url,
        fake_instance({"/login": "here"}) as portal,
    ):
        postgres, valkey = PostgresServer(data_dir), ValkeyServer(data_dir)
        async with (
            run_actor(lambda: postgres, Address("postgres")),
            run_actor(lambda: valkey, Address("valkey")),
        ):
            running = instance_info(database=postgres.dsn, redis=valkey.url, web_url=url, practice_url=portal)
            write_instance(data_dir, running)
            code, found = await checked(home, "--data-dir", str(path))
    assert code == 0
    assert {state for state, _ in found.values()} == {"ok"}
    assert found["data directory"][1].endswith(f"in use by the instance with pid {os.getpid()}")
    assert found["database"][1].startswith("PostgreSQL 18.")
    assert found["redis"][1].startswith("Valkey 9.")
    assert found["web"][1] == f"answers at {url}; the bot is running"
    assert found["portal"][1] == f"practice answers at {portal}/login"
