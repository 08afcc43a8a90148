"""Definition check against the practice portal: each error has its own finding."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from actors.portals import Credentials, load_definition
from actors.portals.check.definition_check import check_definition
from actors.portals.check.findings import Finding, FindingState, Sample
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
        return [one async for one in check_definition(portal, definition)]


def failures(results: list[Finding | Sample]) -> list[str]:
    return [
        f"{one.key} {one.value}: {one.remark}"
        for one in results
        if isinstance(one, Finding) and one.state is FindingState.FAILED
    ]


async def test_a_portal_with_decided_jobs(tmp_path: Path):
    """With every kind of row, only the marks that appear after a decision stay unchecked."""
    with portal_process(tmp_path / "portal.sqlite", initial_jobs=5) as site:
        definition = load_definition(PRACTICE).at(site.url)
        async with open_http_portal(definition, OPERATOR) as portal:
            await portal.login()
            await portal.accept("AZ-100001")
            await portal.reject("AZ-100002", "no")
        results = await found(site.url)
    assert failures(results) == []
    waiting = {one.key for one in results if isinstance(one, Finding) and one.state is FindingState.WAITING}
    assert waiting == {"login.failure", "accept.done", "accept.taken", "reject.done", "reject.taken"}
    words = [(one.value, one.count) for one in results if isinstance(one, Finding) and one.key == "outcomes"]
    assert sorted(words) == [("accepted", 1), ("accepted", 1), ("open", 3), ("rejected", 1), ("rejected", 1)]
    samples = [one for one in results if isinstance(one, Sample)]
    assert [(one.job.ref, one.outcome) for one in samples] == [
        ("AZ-100001", "accepted"),
        ("AZ-100002", "rejected"),
        ("AZ-100003", "open"),
    ]


async def test_an_empty_portal(tmp_path: Path):
    """Without jobs, the keys of job rows are waiting, not failed."""
    with portal_process(tmp_path / "portal.sqlite", initial_jobs=0) as site:
        results = await found(site.url)
    assert failures(results) == []
    assert "jobs.row" in {
        one.key for one in results if isinstance(one, Finding) and one.state is FindingState.WAITING
    }


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ('form = "form#login"', 'form = "#log"', "login.form #log: no element on /login matches"),
        ('"username"', '"user"', "login.username_field user: form#login on /login has no such field"),
        ('path = "/login"', 'path = "/nowhere"', "login.path /nowhere: the portal answered 404"),
        ('success = "form#logout"', 'success = "main"', "login.success main: it matches on /login before"),
        ('success = "form#logout"', 'success = "#out"', "credentials : page /login has changed: no element"),
        ('table = "table#jobs"', 'table = "#jbs"', "jobs.table #jbs: no element on /jobs matches"),
        ('ref = "td.ref"', 'ref = "td.no"', "jobs.fields.ref td.no: no match in 4 rows"),
        ('ref = "td.ref"', 'ref = "td.status"', "jobs.fields.ref td.status: some rows have the same"),
        ('open = "open"', 'free = "open"', "outcomes open: missing from [outcomes]"),
        ('form = "form.accept"', 'form = "form.no"', "accept.form form.no: no match in 4 of 4 open jobs"),
        ('reason_field = "reason"', 'reason_field = "why"', "reject.reason_field why: form.reject has"),
        ('done = ".flash.accepted"', 'done = "h1"', "accept.done h1: it matches on /jobs before any"),
        ('path = "/results"', 'path = "/jobs"', "results.table table#results: no element on /jobs matches"),
        ('mark = "form#login"', 'mark = "header"', "expired.mark header: it matches on /jobs after login"),
    ],
)  # fmt: skip
async def test_wrong_definitions(site: PortalProcess, tmp_path: Path, line: str, instead: str, sentence: str):
    """The finding names the key, its value and the problem."""
    content = PRACTICE.read_text()
    assert line in content
    path = tmp_path / "mine.toml"
    path.write_text(content.replace(line, instead, 1))
    assert failures(await found(site.url, path))[0].startswith(sentence)
