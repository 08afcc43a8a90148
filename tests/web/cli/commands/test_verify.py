"""`botvisor verify` as its users meet it: a process of its own, a real database, and answers of a mirror."""

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
from web.cli.commands.verify import MOST_OF_A_KEY, place_of, told_by_key

from ....actors.database.records import settings
from ..command import botvisor
from ..site import instance, site

QUEUE = "bot:tasks:queue"


@asynccontextmanager
async def running(home: dict[str, str], differences: Sequence[str], more: int) -> AsyncGenerator[Path, None]:
    """The data directory of an instance whose mirror answers so, and whose record is empty."""
    path = Path(home["HOME"], "data")
    answer = {"differences": differences, "more_differences": more}
    with open_data_dir(path) as data_dir, site({"/api/mirror/status": answer}) as url:
        postgres = PostgresServer(data_dir)
        async with run_actor(lambda: postgres, Address("postgres")):
            link = ConnectionFactory(settings(), postgres.dsn, "test").connect()
            migrate(link, load_migrations())
            link.close()
            write_instance(data_dir, instance(database=postgres.dsn, web_url=url))
            yield path


async def test_verify_needs_a_database(home: dict[str, str]):
    """The embedded one runs only with an instance; of another one it says why it cannot be asked."""
    ended = await botvisor(home, "verify")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "botvisor: the embedded PostgreSQL runs only while `botvisor up` does\n"
    ended = await botvisor(home, "verify", "--set", "database.url=postgresql://nobody@127.0.0.1:1/none")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("botvisor: PostgreSQL at 127.0.0.1:1 is away: ")


async def test_many_differences_of_the_mirror_are_counted(home: dict[str, str]):
    """The first of each key are printed, and how many more there are; no key is hidden by another."""
    lacks = [f"{QUEUE} lacks task-{n:03}" for n in range(99)]
    async with running(home, [*lacks, "bot:task:1 is missing"], more=151) as path:
        ended = await botvisor(home, "verify", "--data-dir", str(path))
        told = await botvisor(home, "verify", "--data-dir", str(path), "--json")
    assert (ended.code, ended.err) == (1, "")
    lines = [line.strip() for line in ended.out.splitlines()]
    begin = lines.index("broken  Redis shows what is on record")
    assert lines[begin + 1 :] == [
        *lacks[:MOST_OF_A_KEY],
        "bot:task:1 is missing",
        f"{QUEUE} differs in {99 - MOST_OF_A_KEY} more places",
        "and 151 more",
    ]
    *sound, mirror = json.loads(told.out)["checks"]
    assert mirror == {
        "name": "Redis shows what is on record",
        "broken": lines[begin + 1 : -1],
        "more": 151,
    }
    assert all(check["broken"] == [] and check["more"] == 0 for check in sound)


async def test_a_record_and_a_mirror_that_agree_are_sound(home: dict[str, str]):
    """One line for each invariant, and exit code 0."""
    async with running(home, [], more=0) as path:
        ended = await botvisor(home, "verify", "--data-dir", str(path))
    assert (ended.code, ended.err) == (0, "")
    assert {line.split()[0] for line in ended.out.splitlines()} == {"ok"}


@pytest.mark.parametrize(
    ("difference", "place"),
    [
        (
            "bot:session:1 shows total_checks 5, the record says 6",
            "bot:session:1 shows total_checks",
        ),
        ("bot:tasks:queue has 1 at 5, the record at 6", "bot:tasks:queue has 1"),
        ("bot:tasks:queue has 1, which should not be in it",) * 2,
        ("bot:events lacks event 7",) * 2,
        ("bot:session:1 is missing",) * 2,
    ],
)
def test_a_difference_is_the_same_whatever_its_values(difference: str, place: str) -> None:
    """A value goes on between two looks; another member is another difference."""
    assert place_of(difference) == place


def test_few_differences_are_told_as_they_are() -> None:
    """Nothing is counted that is told."""
    few = tuple(f"{key} lacks {n}" for key in ("a", "b") for n in range(MOST_OF_A_KEY))
    assert told_by_key(few) == few
