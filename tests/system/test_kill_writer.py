"""Kill matrix of the database writer: its connection is terminated at each kind of commit."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .application import QUIET, TIME_LIMIT, Application, open_application
from .commit_blocker import SESSION_STEPS, CommitBlocker
from .database import Database, open_database

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
MOMENTS = ("before", "after")
TIMES = 3
"""Repetitions for each commit, as other writes may be under way each time."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", SESSION_STEPS)
async def test_the_writer_loses_its_connection_around_a_commit(
    tmp_path: Path, step: str, moment: str
) -> None:
    """Each job that the portal accepted is in the database once, with one event, and the journal is empty."""
    async with (
        open_database(tmp_path / "database") as database,
        open_application(tmp_path / "data", *SETTINGS, database.proxied_setting) as application,
    ):
        await application.accepted()
        for _ in range(TIMES):
            before = (await application.node("botvisor/database/db_writer"))["restarts"]
            await terminate(database, step, moment)
            await application.restarted("botvisor/database/db_writer", since=before)
            await application.accepted()
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_consistency()
        check_events(application)
        journal = (await application.node("botvisor/database/journal"))["detail"]
        assert (journal["waiting"], journal["rejected"]) == (0, 0)


async def terminate(database: Database, step: str, moment: str) -> None:
    """Terminate the writer's connection before a commit, or after it and before the reply."""
    with CommitBlocker(database.dsn, SESSION_STEPS[step]) as blocker, trio.fail_after(TIME_LIMIT):
        await blocker.wait_blocked()
        if moment == "after":
            database.proxy.drop_replies(SESSION_STEPS[step].application)
            await blocker.release()
        assert blocker.terminate() == 1
        database.proxy.restore()


def check_events(application: Application) -> None:
    """Check that each decided job has exactly one event."""
    events = application.sql(
        "select data ->> 'job_ref', type from bot_events where type in ('job_accepted', 'job_rejected')"
    )
    decided = application.sql(
        "select job_ref, 'job_' || status from job_records where status in ('accepted', 'rejected')"
    )
    assert decided
    assert sorted(events) == sorted(decided)
