"""Both engines on a portal with every quirk on: slow, failing, forgetful, redesigned, worked by others."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from actors.portals import (
    Credentials,
    JobTaken,
    Outcome,
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
QUIRKS = {
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
EVERY_TROUBLE = {"SessionExpired", "OutcomeUnknown", "JobTaken", "PortalUnavailable", "PageChanged"}


@pytest.mark.parametrize(
    ("name", "enough", "troubles"),
    [("http", 150, EVERY_TROUBLE), ("browser", 25, {"OutcomeUnknown", "PageChanged"})],
)
async def test_with_every_quirk_on_no_job_is_lost_or_doubled(
    name: str, enough: int, troubles: set[str], chromium: Path, tmp_path: Path
):
    """A plain loop that follows the errors' advice through these troubles ends with the portal's own book."""
    state = tmp_path / "portal.sqlite"
    # A browser takes its time, above all to be sure that what it looks for is not there.
    pace = {"session_seconds": 6, "arrival_seconds": 0.2} if name == "browser" else {}
    with portal_process(state, **QUIRKS | pace) as site:
        definition = replace(PRACTICE.at(site.url), timeout_seconds=2.5)
        saved = open_login_store(tmp_path / "logins").of("one", base_url=site.url, username="operator")
        async with (
            open_engine(name, chromium, tmp_path) as engine,
            engine(definition, OPERATOR, saved) as portal,
        ):
            with trio.fail_after(120):
                book = await work(portal, enough=enough, troubles=troubles)
        site.end()
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        decisions = connection.execute("SELECT ref, status FROM decisions").fetchall()
    assert len(book) >= enough
    assert {ref: Outcome(status) for ref, status in decisions} == book


async def work(portal: Portal, *, enough: int, troubles: set[str]) -> dict[str, Outcome]:
    """Decide every job, until enough are decided, none is in doubt, and all troubles were met."""
    book: dict[str, Outcome] = {}
    in_doubt: set[str] = set()
    met: set[str] = set()
    while len(book) < enough or in_doubt or not troubles <= met:
        try:
            for ref in sorted(in_doubt):
                outcome = await portal.outcome(ref)
                in_doubt.discard(ref)
                if outcome in {Outcome.ACCEPTED, Outcome.REJECTED}:
                    book[ref] = outcome
            for job in await portal.jobs():
                if int(job.ref[-1]) % 2:
                    await portal.accept(job.ref)
                    book[job.ref] = Outcome.ACCEPTED
                else:
                    await portal.reject(job.ref, "even")
                    book[job.ref] = Outcome.REJECTED
        except SessionExpired:
            met.add("SessionExpired")
            with suppress(PortalUnavailable, PageChanged):
                await portal.login()
        except OutcomeUnknown as error:
            met.add("OutcomeUnknown")
            in_doubt.add(error.ref)
        except (JobTaken, PortalUnavailable, PageChanged) as error:
            met.add(type(error).__name__)
    wanted = {ref: Outcome.ACCEPTED if int(ref[-1]) % 2 else Outcome.REJECTED for ref in book}
    assert book == wanted
    return book
