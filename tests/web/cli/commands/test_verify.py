"""`botvisor verify`, as a process with a real database and a fake mirror status."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.database.connections.connection import ConnectionFactory
from actors.database.migrations.migrate import load_migrations, migrate
from actors.services import PostgresServer, open_data_dir, write_instance
from runtime import Address
from runtime.testing import run_actor
from web.cli.commands.verify import MAX_PER_KEY, difference_key, limit_per_key

from ....actors.database.harness import settings
from ..fake_instance import fake_instance, instance_info
from ..process import botvisor

QUEUE = "bot:tasks:queue"


@asynccontextmanager
async def running(home: dict[str, str], differences: Sequence[str], more: int) -> AsyncGenerator[Path, None]:
    """The data directory of an instance with these mirror differences and an empty database."""
    path = Path(home["HOME"], "data")
    answer = {"differences": differences, "more_differences": more}
    with open_data_dir(path) as data_dir, fake_instance({"/api/mirror/status": answer}) as url:
        postgres = PostgresServer(data_dir)
        async with run_actor(lambda: postgres, Address("postgres")):
            link = ConnectionFactory(settings(), postgres.dsn, "test").connect()
            migrate(link, load_migrations())
            link.close()
            write_instance(data_dir, instance_info(database=postgres.dsn, web_url=url))
            yield path


async def test_verify_needs_a_database(home: dict[str, str]):
    """An embedded one runs only with an instance; for another one the error is printed."""
    result = await botvisor(home, "verify")
    assert (result.code, result.out) == (1, "")
    assert result.err == "botvisor: the embedded PostgreSQL runs only while `botvisor up` runs\n"
    result = await botvisor(home, "verify", "--set", "database.url=postgresql://nobody@127.0.0.1:1/none")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("botvisor: PostgreSQL at 127.0.0.1:1 is unavailable: ")


async def test_many_differences_of_the_mirror_are_counted(home: dict[str, str]):
    """The first of each key are printed, and the number of the rest."""
    lacks = [f"{QUEUE} lacks task-{n:03}" for n in range(99)]
    async with running(home, [*lacks, "bot:task:1 is missing"], more=151) as path:
        result = await botvisor(home, "verify", "--data-dir", str(path))
        as_json = await botvisor(home, "verify", "--data-dir", str(path), "--json")
    assert (result.code, result.err) == (1, "")
    lines = [line.strip() for line in result.out.splitlines()]
    begin = lines.index("broken  Redis matches the database")
    assert lines[begin + 1 :] == [
        *lacks[:MAX_PER_KEY],
        "bot:task:1 is missing",
        f"{QUEUE} differs in {99 - MAX_PER_KEY} more places",
        "and 151 more",
    ]
    *sound, mirror = json.loads(as_json.out)["checks"]
    assert mirror == {
        "name": "Redis matches the database",
        "broken": lines[begin + 1 : -1],
        "more": 151,
    }
    assert all(check["broken"] == [] and check["more"] == 0 for check in sound)


async def test_a_matching_mirror(home: dict[str, str]):
    """One line per invariant, and exit code 0."""
    async with running(home, [], more=0) as path:
        result = await botvisor(home, "verify", "--data-dir", str(path))
    assert (result.code, result.err) == (0, "")
    assert {line.split()[0] for line in result.out.splitlines()} == {"ok"}


@pytest.mark.parametrize(
    ("difference", "key"),
    [
        (
            "bot:session:1 shows total_checks 5, the database has 6",
            "bot:session:1 shows total_checks",
        ),
        ("bot:tasks:queue has 1 at 5, the database at 6", "bot:tasks:queue has 1"),
        ("bot:tasks:queue has 1, which should not be in it",) * 2,
        ("bot:events lacks event 7",) * 2,
        ("bot:session:1 is missing",) * 2,
    ],
)
def test_a_difference_is_identified_without_its_values(difference: str, key: str) -> None:
    """Values change between two checks; another member is another difference."""
    assert difference_key(difference) == key


def test_few_differences_are_all_printed() -> None:
    """Without a count."""
    few = tuple(f"{key} lacks {n}" for key in ("a", "b") for n in range(MAX_PER_KEY))
    assert limit_per_key(few) == few
