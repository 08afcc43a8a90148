"""A definition held against the practice portal: each way to be wrong has its own finding."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from actors.portals import Credentials, load_definition
from actors.portals.check.definition_check import inspect
from actors.portals.check.findings import Finding, Sample, State
from actors.portals.http.http_portal import open_http_portal

from ....web.practice.portal_process import PortalProcess, portal_process

PRACTICE = Path(__file__).parents[4] / "config" / "portals" / "practice.toml"
OPERATOR = Credentials(username="operator", password="practice")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[PortalProcess, None, None]:
    with portal_process(tmp_path_factory.mktemp("site") / "portal.sqlite", initial_jobs=4) as site:
        yield site


async def found(url: str, path: Path = PRACTICE) -> list[Finding | Sample]:
    definition = load_definition(path).at(url)
    async with open_http_portal(definition, OPERATOR) as portal:
        return [one async for one in inspect(portal, definition)]


def failures(things: list[Finding | Sample]) -> list[str]:
    return [
        f"{one.key} {one.value}: {one.remark}"
        for one in things
        if isinstance(one, Finding) and one.state is State.FAILED
    ]


async def test_a_portal_with_work_done_on_it(tmp_path: Path):
    """With every kind of row there is nothing is left untried but the marks that only a click shows."""
    with portal_process(tmp_path / "portal.sqlite", initial_jobs=5) as site:
        definition = load_definition(PRACTICE).at(site.url)
        async with open_http_portal(definition, OPERATOR) as portal:
            await portal.login()
            await portal.accept("AZ-100001")
            await portal.reject("AZ-100002", "no")
        things = await found(site.url)
    assert failures(things) == []
    waiting = {one.key for one in things if isinstance(one, Finding) and one.state is State.WAITING}
    assert waiting == {"login.failure", "accept.done", "accept.taken", "reject.done", "reject.taken"}
    words = [(one.value, one.count) for one in things if isinstance(one, Finding) and one.key == "outcomes"]
    assert sorted(words) == [("accepted", 1), ("accepted", 1), ("open", 3), ("rejected", 1), ("rejected", 1)]
    samples = [one for one in things if isinstance(one, Sample)]
    assert [(one.job.ref, one.outcome) for one in samples] == [
        ("AZ-100001", "accepted"),
        ("AZ-100002", "rejected"),
        ("AZ-100003", "open"),
    ]


async def test_an_empty_portal(tmp_path: Path):
    """No jobs are no failure: what they would show waits for them."""
    with portal_process(tmp_path / "portal.sqlite", initial_jobs=0) as site:
        things = await found(site.url)
    assert failures(things) == []
    assert "jobs.row" in {
        one.key for one in things if isinstance(one, Finding) and one.state is State.WAITING
    }


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ('form = "form#login"', 'form = "#log"', "login.form #log: nothing on /login matches it"),
        ('"username"', '"user"', "login.username_field user: form#login on /login has no such field"),
        ('path = "/login"', 'path = "/nowhere"', "login.path /nowhere: it answered 404"),
        ('success = "form#logout"', 'success = "main"', "login.success main: it is on /login although"),
        ('success = "form#logout"', 'success = "#out"', "credentials : /login has changed: nothing"),
        ('table = "table#jobs"', 'table = "#jbs"', "jobs.table #jbs: nothing on /jobs matches it"),
        ('ref = "td.ref"', 'ref = "td.no"', "jobs.fields.ref td.no: none of 4 rows has it"),
        ('ref = "td.ref"', 'ref = "td.status"', "jobs.fields.ref td.status: some rows have the same"),
        ('open = "open"', 'free = "open"', "outcomes open: the definition does not say what"),
        ('form = "form.accept"', 'form = "form.no"', "accept.form form.no: 4 of 4 open jobs lack it"),
        ('reason_field = "reason"', 'reason_field = "why"', "reject.reason_field why: form.reject has"),
        ('done = ".flash.accepted"', 'done = "h1"', "accept.done h1: it is on /jobs although nothing"),
        ('path = "/results"', 'path = "/jobs"', "results.table table#results: nothing on /jobs matches it"),
        ('mark = "form#login"', 'mark = "header"', "expired.mark header: it is on /jobs although we are"),
    ],
)  # fmt: skip
async def test_what_a_session_could_not_work_with(
    site: PortalProcess, tmp_path: Path, line: str, instead: str, sentence: str
):
    """The finding names the key, what it says and what is wrong with that."""
    content = PRACTICE.read_text()
    assert line in content
    path = tmp_path / "mine.toml"
    path.write_text(content.replace(line, instead, 1))
    assert failures(await found(site.url, path))[0].startswith(sentence)
