"""`botvisor portal check` on the practice portal, with a correct definition and each kind of error."""

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


def refusal(completed: subprocess.CompletedProcess[str]) -> str:
    """The sentence of a failed check."""
    assert completed.returncode == 1, completed
    assert completed.stderr.count("\n") == 1, completed.stderr
    assert completed.stderr.startswith("botvisor: ")
    return completed.stderr.strip().removeprefix("botvisor: ")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check") / "portal.sqlite"


@pytest.fixture(scope="module")
def site(state: Path) -> Generator[PortalProcess, None, None]:
    with portal_process(state, initial_jobs=4) as site:
        yield site


@pytest.mark.parametrize("engine", ENGINES)
def test_a_correct_definition(site: PortalProcess, state: Path, engine: str, chromium: Path):
    """Every selector has its count and text; the first rows are printed as jobs."""
    before = logins(state)
    completed = check(PRACTICE, url=site.url, engine=engine)
    assert (completed.returncode, completed.stderr) == (0, ""), completed
    lines = [" ".join(line.split()) for line in completed.stdout.splitlines()]
    for line in (
        'login.path /login ok "Sign in · Practice portal"',
        'login.form form#login ok 1 "User name Password Sign in"',
        "credentials ok logged in",
        'jobs.fields.ref td.ref ok 4 "AZ-100001"',
        "outcomes open ok 4 means open",
        'accept.form form.accept ok 4 "Accept"',
        "accept.done .flash.accepted waiting 0 matches only after a decision; this check makes none",
        'results.lookup table#results ok 1 "RefStatusReasonWhen LanguageType"',
    ):
        assert line in lines, completed.stdout
    assert any(line.startswith("AZ-100001 ") and line.endswith(" open open") for line in lines)
    assert logins(state) == before + 1


def test_json(site: PortalProcess):
    """With a finding for every selector."""
    report = json.loads(check(PRACTICE, "--json", url=site.url).stdout)
    assert report["ok"] is True
    keys = {finding["key"] for finding in report["findings"]}
    assert keys >= {"login.form", "jobs.table", "jobs.fields.status", "reject.reason_field", "results.table"}
    assert [job["ref"] for job in report["jobs"]] == ["AZ-100001", "AZ-100002", "AZ-100003"]
    assert {job["outcome"] for job in report["jobs"]} == {"open"}


def test_a_wrong_selector(site: PortalProcess, tmp_path: Path):
    """The sentence has the first error; the table has all findings."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace('table = "table#jobs"', 'table = "#jbs"'))
    completed = check(path, url=site.url)
    sentence = f"{path} does not fit the portal: jobs.table #jbs: no element on /jobs matches"
    assert refusal(completed) == sentence
    assert "results.table" in completed.stdout


def test_a_wrong_password_and_none(site: PortalProcess):
    """The portal's message is repeated; an unset variable is reported before any request."""
    sentence = refusal(check(PRACTICE, "--password-env=MINE", url=site.url, MINE="hunter2"))
    assert sentence.endswith("credentials: login refused by the portal: User name or password is wrong.")
    assert "hunter2" not in sentence
    sentence = refusal(check(PRACTICE, "--password-env=NOT_SET", url=site.url))
    assert "credentials.password = 'env:NOT_SET', expected an environment variable that is set" in sentence


def test_an_invalid_definition(tmp_path: Path):
    """It is reported before any request."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace("[jobs]", "[job]"))
    assert refusal(check(path)) == f"{path}: unknown key job; did you mean jobs?"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_portal_that_is_down(engine: str, chromium: Path):
    """It is unavailable; the definition is not blamed."""
    sentence = refusal(check(PRACTICE, url="http://127.0.0.1:1", engine=engine))
    assert sentence.startswith("portal unavailable: ")


def test_a_portal_outside_its_hours(site: PortalProcess, tmp_path: Path):
    """No request is sent."""
    path = tmp_path / "mine.toml"
    path.write_text(PRACTICE.read_text().replace('working_hours = ""', f'working_hours = "{closed()}"'))
    sentence = refusal(check(path, url=site.url))
    assert sentence.startswith("portal unavailable: outside its working hours, until ")


def closed() -> str:
    """Working hours that do not include now."""
    return f"{datetime.now(UTC) + timedelta(days=3):%a} 08:00-09:00"


@contextmanager
def broken_html() -> Generator[str, None, None]:
    """A site that serves invalid HTML on every path."""

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
def test_a_page_of_broken_html(engine: str, chromium: Path):
    """The form is not found."""
    with broken_html() as url:
        sentence = refusal(check(PRACTICE, url=url, engine=engine))
    assert sentence.endswith("login.form form#login: no element on /login matches")


def test_nothing_was_clicked(site: PortalProcess, state: Path):
    """After all these checks every job is unchanged."""
    report = json.loads(check(PRACTICE, "--json", url=site.url).stdout)
    outcomes = {one["value"]: one["count"] for one in report["findings"] if one["key"] == "outcomes"}
    assert outcomes == {"open": 4}
