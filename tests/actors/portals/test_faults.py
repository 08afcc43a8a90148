"""Both engines on a practice portal with all faults on: slow, failing, expiring, redesigned, with rivals."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from actors.portals import (
    Credentials,
    JobOutcome,
    JobTaken,
    OutcomeUnknown,
    PageChanged,
    Portal,
    PortalUnavailable,
    SessionExpired,
    load_definition,
)
from actors.portals.login_store import open_login_store

from ...web.practice.portal_process import portal_process
from .engines import open_engine

PRACTICE = load_definition(Path(__file__).parents[3] / "config" / "portals" / "practice.toml")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OPERATOR = Credentials(username="operator", password="practice", totp_secret=SECRET)
FAULTS = {
    "totp_secret": SECRET,
    "taken_share": 0.3,
    "taken_after_seconds": 1,
    "session_seconds": 2,
    "slow_share": 0.1,
    "slow_seconds": 0.1,
    "error_share": 0.1,
    "markup_share": 0.1,
    "arrival_seconds": 0.05,
    "initial_jobs": 10,
}
ALL_ERRORS = {"SessionExpired", "OutcomeUnknown", "JobTaken", "PortalUnavailable", "PageChanged"}


@pytest.mark.parametrize(
    ("name", "enough", "expected_errors"),
    [("http", 150, ALL_ERRORS), ("browser", 25, {"OutcomeUnknown", "PageChanged"})],
)
async def test_with_every_fault_on_no_job_is_lost_or_doubled(
    name: str, enough: int, expected_errors: set[str], chromium: Path, tmp_path: Path
):
    """A loop that handles each error as documented ends with the decisions that the portal has stored."""
    state = tmp_path / "portal.sqlite"
    # A browser is slower, above all when it waits for an element that does not appear.
    pace = {"session_seconds": 6, "arrival_seconds": 0.2} if name == "browser" else {}
    with portal_process(state, **FAULTS | pace) as site:
        definition = replace(PRACTICE.at(site.url), timeout_seconds=2.5)
        saved = open_login_store(tmp_path / "logins").saved_login(
            "one", base_url=site.url, username="operator"
        )
        async with (
            open_engine(name, chromium, tmp_path) as engine,
            engine(definition, OPERATOR, saved) as portal,
        ):
            with trio.fail_after(120):
                decided = await work(portal, enough=enough, expected_errors=expected_errors)
        site.stop()
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        decisions = connection.execute("SELECT ref, status FROM decisions").fetchall()
    assert len(decided) >= enough
    assert {ref: JobOutcome(status) for ref, status in decisions} == decided


async def work(portal: Portal, *, enough: int, expected_errors: set[str]) -> dict[str, JobOutcome]:
    """Decide jobs until enough are decided, no outcome is unknown and all expected errors were seen."""
    decided: dict[str, JobOutcome] = {}
    unknown: set[str] = set()
    seen: set[str] = set()
    while len(decided) < enough or unknown or not expected_errors <= seen:
        try:
            for ref in sorted(unknown):
                outcome = await portal.outcome(ref)
                unknown.discard(ref)
                if outcome in {JobOutcome.ACCEPTED, JobOutcome.REJECTED}:
                    decided[ref] = outcome
            for job in await portal.jobs():
                if int(job.ref[-1]) % 2:
                    await portal.accept(job.ref)
                    decided[job.ref] = JobOutcome.ACCEPTED
                else:
                    await portal.reject(job.ref, "even")
                    decided[job.ref] = JobOutcome.REJECTED
        except SessionExpired:
            seen.add("SessionExpired")
            with suppress(PortalUnavailable, PageChanged):
                await portal.login()
        except OutcomeUnknown as error:
            seen.add("OutcomeUnknown")
            unknown.add(error.ref)
        except (JobTaken, PortalUnavailable, PageChanged) as error:
            seen.add(type(error).__name__)
    expected = {ref: JobOutcome.ACCEPTED if int(ref[-1]) % 2 else JobOutcome.REJECTED for ref in decided}
    assert decided == expected
    return decided
