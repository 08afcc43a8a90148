"""The kill matrix of the records: the writer is cut off at each commit, with sessions at work."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .application import HANG, QUIET, House, open_house
from .database import Database, open_database
from .turnstile import FACTS, Turnstile

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
MOMENTS = ("before", "after")
TIMES = 3
"""Each commit is hit so often, as another fact may be the one that is on its way."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", FACTS)
async def test_the_writer_is_cut_off_around_a_commit(tmp_path: Path, step: str, moment: str) -> None:
    """Each job that the portal has accepted is on record once, each fact is told once, and none waits."""
    async with (
        open_database(tmp_path / "database") as database,
        open_house(tmp_path / "data", *SETTINGS, database.cabled) as application,
    ):
        await application.accepted()
        for _ in range(TIMES):
            before = (await application.node("botvisor/database/db_writer"))["restarts"]
            await hit(database, step, moment)
            await application.restarted("botvisor/database/db_writer", since=before)
            await application.accepted()
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_books()
        check_facts(application)
        journal = (await application.node("botvisor/database/journal"))["detail"]
        assert (journal["waiting"], journal["refused"]) == (0, 0)


async def hit(database: Database, step: str, moment: str) -> None:
    """Cut the writer's connection while it holds a commit, or when that is done and not told."""
    with Turnstile(database.dsn, FACTS[step]) as turnstile, trio.fail_after(HANG):
        await turnstile.somebody_waits()
        if moment == "after":
            database.cable.deafen(FACTS[step].application)
            await turnstile.let_through()
        assert turnstile.cut() == 1
        database.cable.heal()


def check_facts(application: House) -> None:
    """Of each job that is done, exactly one fact tells."""
    told = application.sql(
        "select data ->> 'job_ref', type from bot_events where type in ('job_accepted', 'job_rejected')"
    )
    done = application.sql(
        "select job_ref, 'job_' || status from job_records where status in ('accepted', 'rejected')"
    )
    assert done
    assert sorted(told) == sorted(done)
