"""`botvisor portal check` on the practice portal: what a good definition shows, and each way to be wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ....actors.portals.engines import ENGINES, logins
from ...practice.portal_process import PortalProcess, portal_process

ROOT = Path(__file__).parents[4]
PRACTICE = ROOT / "config" / "portals" / "practice.toml"


def check(
    file: Path, *arguments: str, url: str = "", engine: str = "http", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    place = [f"--portal-url={url}"] if url else []
    return subprocess.run(
        [sys.executable, "-m", "web", "portal", "check", str(file), f"--engine={engine}", *place, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that a failed check ends with."""
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("botvisor: ")
    return done.stderr.strip().removeprefix("botvisor: ")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check") / "portal.sqlite"


@pytest.fixture(scope="module")
def site(state: Path) -> Generator[PortalProcess, None, None]:
    with portal_process(state, initial_jobs=4) as site:
        yield site


@pytest.mark.parametrize("engine", ENGINES)
def test_a_good_definition(site: PortalProcess, state: Path, engine: str, chromium: Path):
    """Each selector says how often it is there and what it reads; the first rows are shown as jobs."""
    before = logins(state)
    done = check(PRACTICE, url=site.url, engine=engine)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        'login.path /login ok "Sign in · Practice portal"',
        'login.form form#login ok 1 "User name Password Sign in"',
        "credentials ok signed in",
        'jobs.fields.ref td.ref ok 4 "AZ-100001"',
        "outcomes open ok 4 means open",
        'accept.form form.accept ok 4 "Accept"',
        "accept.done .flash.accepted waiting 0 shown only after a click; nothing is clicked here",
        'results.lookup table#results ok 1 "RefStatusReasonWhen LanguageType"',
    ):
        assert line in lines, done.stdout
    assert any(line.startswith("AZ-100001 ") and line.endswith(" open open") for line in lines)
    assert logins(state) == before + 1


def test_for_programs(site: PortalProcess):
    """The same as JSON, with every key of the definition that can be seen."""
    report = json.loads(check(PRACTICE, "--json", url=site.url).stdout)
    assert report["ok"] is True
    keys = {finding["key"] for finding in report["findings"]}
    assert keys >= {"login.form", "jobs.table", "jobs.fields.status", "reject.reason_field", "results.table"}
    assert [job["ref"] for job in report["jobs"]] == ["AZ-100001", "AZ-100002", "AZ-100003"]
    assert {job["outcome"] for job in report["jobs"]} == {"open"}


def test_a_wrong_selector(site: PortalProcess, tmp_path: Path):
    """The first thing that a session could not work with is the sentence; the table shows the rest."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace('table = "table#jobs"', 'table = "#jbs"'))
    done = check(path, url=site.url)
    said = f"a session could not work with {path}: jobs.table #jbs: nothing on /jobs matches it"
    assert refusal(done) == said
    assert "results.table" in done.stdout


def test_a_wrong_password_and_none(site: PortalProcess):
    """The portal's own words are given; a variable that is not set is told before anything is asked."""
    said = refusal(check(PRACTICE, "--password-env=MINE", url=site.url, MINE="hunter2"))
    assert said.endswith("credentials: the portal refused the login: User name or password is wrong.")
    assert "hunter2" not in said
    said = refusal(check(PRACTICE, "--password-env=NOT_SET", url=site.url))
    assert "credentials.password is 'env:NOT_SET', expected a variable of the environment that is set" in said


def test_a_definition_that_is_none(tmp_path: Path):
    """What is wrong with the file is said before anything is asked."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace("[jobs]", "[job]"))
    assert refusal(check(path)) == f'{path}: job is an unknown key, did you mean "jobs"?'


@pytest.mark.parametrize("engine", ENGINES)
def test_a_portal_that_is_down(engine: str, chromium: Path):
    """Nobody there says nothing about the definition."""
    said = refusal(check(PRACTICE, url="http://127.0.0.1:1", engine=engine))
    assert said.startswith("the portal is unavailable: ")


def test_a_portal_outside_its_hours(site: PortalProcess, tmp_path: Path):
    """It is not asked, by nobody."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace('working_hours = ""', f'working_hours = "{closed()}"'))
    said = refusal(check(path, url=site.url))
    assert said.startswith("the portal is unavailable: outside its working hours, until ")


def closed() -> str:
    """Hours that are not now, whenever that is."""
    return f"{datetime.now(UTC) + timedelta(days=3):%a} 08:00-09:00"


@contextmanager
def nonsense() -> Generator[str, None, None]:
    """A site whose every page is the same tangle of tags."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<table><form><tr><<\xff\x00<td class=ref id='><script>let x = '</b>" * 200
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_page_of_nonsense(engine: str, chromium: Path):
    """Whatever there is on it, it is not what was looked for."""
    with nonsense() as url:
        said = refusal(check(PRACTICE, url=url, engine=engine))
    assert said.endswith("login.form form#login: nothing on /login matches it")


def test_nothing_was_clicked(site: PortalProcess, state: Path):
    """After all of these checks every job is as it was."""
    report = json.loads(check(PRACTICE, "--json", url=site.url).stdout)
    outcomes = {one["value"]: one["count"] for one in report["findings"] if one["key"] == "outcomes"}
    assert outcomes == {"open": 4}
