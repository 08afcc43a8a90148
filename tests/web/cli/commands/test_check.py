"""`botvisor check`: whether everything that an instance needs is there."""

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

from ..command import SECRET, botvisor, free_port, taken_port, written
from ..site import ANSWERS, instance, site


async def checked(home: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    ended = await botvisor(home, "check", "--json", *arguments)
    report = json.loads(ended.out)
    assert report["ok"] == (ended.code == 0)
    assert SECRET not in ended.out + ended.err
    return ended.code, {one["name"]: (one["state"], one["detail"]) for one in report["checks"]}


def free_ports() -> tuple[str, ...]:
    return ("--set", "web.port=0", "--set", "practice.port=0")


async def test_check_passes_where_nothing_is_configured(home: dict[str, str]):
    """What only `up` can start is waiting, and that is no failure; nothing is made."""
    path = Path(home["HOME"], "deep", "data")
    code, found = await checked(home, *free_ports(), "--data-dir", str(path))
    assert code == 0
    assert found["configuration"][0] == found["data directory"][0] == "ok"
    assert found["database"][0] == found["redis"][0] == found["portal"][0] == "waiting"
    assert not path.parent.exists()


async def test_check_is_a_table_for_people(home: dict[str, str]):
    """One line for each thing: its name, how it is, and what was found."""
    ended = await botvisor(home, "check", *free_ports())
    assert ended.code == 0
    assert ended.err == ""
    assert re.search(r"^database +waiting  embedded PostgreSQL", ended.out, re.MULTILINE)
    assert re.search(r"^web port +ok +a free one is taken$", ended.out, re.MULTILINE)


async def test_check_tells_every_failure(home: dict[str, str]):
    """One thing that fails does not hide the next; no password is shown."""
    file = written(home, "")
    with taken_port() as port, site({}) as portal:
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
    assert re.match(r"PostgreSQL at 127\.0\.0\.1:\d+ is away: Connection refused", found["database"][1])
    assert re.match(r"Redis at 127\.0\.0\.1:\d+ is away: .*refused", found["redis"][1])
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
async def test_check_tells_an_address_that_no_driver_takes(
    home: dict[str, str], variable: str, value: str, name: str
):
    """The driver's own words could quote the password, so they are not repeated."""
    code, found = await checked(home | {variable: value}, *free_ports())
    assert code == 1
    assert found[name][0] == "failed"
    assert "is not one that" in found[name][1]


async def test_check_tells_a_portal_that_is_not_defined(home: dict[str, str]):
    """The sentence names the file that is missing."""
    code, found = await checked(home, *free_ports(), "--set", "sessions.portal=mine/own.toml")
    assert code == 1
    assert found["portal"] == ("failed", "mine/own.toml cannot be read: No such file or directory")


async def test_check_with_a_wrong_configuration_is_json_too(home: dict[str, str]):
    """A program gets its answer in its form, and the exit code of a wrong configuration."""
    ended = await botvisor(home, "check", "--json", "--set", "web.prot=1")
    assert ended.code == 2
    (only,) = json.loads(ended.out)["checks"]
    assert (only["name"], only["state"]) == ("configuration", "failed")
    assert "did you mean web.port?" in ended.err


async def test_check_connects_to_what_a_running_instance_runs(home: dict[str, str]):
    """While an instance runs, its embedded servers, its web server and its portal are asked for real."""
    path = Path(home["HOME"], "data")
    with open_data_dir(path) as data_dir, site(ANSWERS) as url, site({"/login": "here"}) as portal:
        postgres, valkey = PostgresServer(data_dir), ValkeyServer(data_dir)
        async with (
            run_actor(lambda: postgres, Address("postgres")),
            run_actor(lambda: valkey, Address("valkey")),
        ):
            running = instance(database=postgres.dsn, redis=valkey.url, web_url=url, practice_url=portal)
            write_instance(data_dir, running)
            code, found = await checked(home, "--data-dir", str(path))
    assert code == 0
    assert {state for state, _ in found.values()} == {"ok"}
    assert found["data directory"][1].endswith(f"in use by the instance with pid {os.getpid()}")
    assert found["database"][1].startswith("PostgreSQL 18.")
    assert found["redis"][1].startswith("Valkey 9.")
    assert found["web"][1] == f"answers at {url}; the bot is running"
    assert found["portal"][1] == f"practice answers at {portal}/login"
