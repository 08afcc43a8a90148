from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from .portal_process import csrf, portal_process, sign_in

FIRST, SECOND = "AZ-100001", "AZ-100002"


@contextmanager
def browsing(url):
    """A client that keeps cookies and follows nothing by itself."""
    with httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """One portal without quirks, for tests that each have jobs of their own."""
    with portal_process(tmp_path_factory.mktemp("calm") / "portal.sqlite", initial_jobs=60) as portal:
        yield portal


@pytest.fixture
def client(calm):
    with browsing(calm.url) as client:
        sign_in(client)
        yield client


@pytest.fixture
def stranger(calm):
    with browsing(calm.url) as client:
        yield client


@pytest.fixture
def ref(client, calm):
    """A job that no other test has touched."""
    rows = re.findall(r'action="/jobs/(AZ-\d+)/accept"', client.get("/jobs").text)
    return rows[0]


def decide(client, ref, verb="accept", **fields):
    form = {"csrf": csrf(client.get("/jobs")), **fields}
    return client.post(f"/jobs/{ref}/{verb}", data=form)


def status_of(client, ref):
    """What the results page says of one job."""
    return re.findall(
        r'<td class="status"><span class="pill (\w+)">', client.get("/results", params={"ref": ref}).text
    )


def test_strangers_are_sent_to_the_login(stranger):
    """Every page but the login and the health check leads a stranger to the login."""
    assert stranger.get("/").headers["location"] == "/jobs"
    for path in ("/jobs", "/results", f"/results?ref={FIRST}"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert stranger.post(f"/jobs/{FIRST}/accept", data={}).headers["location"] == "/login"
    assert stranger.get("/healthz").text == "ok\n"


def test_signing_in_and_out(stranger):
    """The right credentials open the table, signing out closes it."""
    page = sign_in(stranger)
    assert (page.status_code, page.url.path) == (200, "/jobs")
    assert 'id="logout"' in page.text
    assert stranger.post("/logout", data={"csrf": csrf(page)}).headers["location"] == "/login"
    assert stranger.get("/jobs").headers["location"] == "/login"


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "guess"}, {"password": ""}])
def test_wrong_credentials_are_refused(stranger, wrong):
    """A wrong name or password leaves one at the login, with the reason."""
    page = sign_in(stranger, **wrong)
    assert page.status_code == 401
    assert 'id="login-error"' in page.text
    assert stranger.get("/jobs").status_code == 303


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(stranger):
    """Both cookies are HttpOnly and SameSite."""
    page = stranger.get("/login")
    answer = stranger.post(
        "/login", data={"csrf": csrf(page), "username": "operator", "password": "practice"}
    )
    for cookie in (page.headers["set-cookie"], answer.headers["set-cookie"]):
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_its_token_does_nothing(client, ref, token):
    """A post that does not come from our own page is refused."""
    answer = client.post(f"/jobs/{ref}/accept", data={"csrf": token})
    assert answer.status_code == 400
    assert status_of(client, ref) == []
    login = client.post("/login", data={"csrf": token, "username": "operator", "password": "practice"})
    assert login.status_code == 400
    assert 'id="stale-form"' in login.text


def test_accepting_twice_counts_once(client, ref):
    """Accepting again is the same answer and the same single result."""
    for _ in range(2):
        answer = decide(client, ref)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs?decided={ref}")
    page = client.get("/jobs", params={"decided": ref})
    assert f"Job {ref} is yours." in page.text
    assert status_of(client, ref) == ["accepted"]
    assert client.get("/results").text.count(f'data-ref="{ref}"') == 1


def test_two_accepts_at_once_make_one_result(client, ref):
    """A double click, as from two threads at the same time, is one decision."""
    form = {"csrf": csrf(client.get("/jobs"))}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(f"/jobs/{ref}/accept", data=form), range(16)))
    assert {answer.status_code for answer in answers} == {303}
    assert client.get("/results").text.count(f'data-ref="{ref}"') == 1


def test_rejecting_keeps_the_reason(client, ref):
    """The reason is on the results page, shown as text and not as markup."""
    decide(client, ref, "reject", reason=" too <b>far</b> ")
    page = client.get("/results", params={"ref": ref})
    assert "too &lt;b&gt;far&lt;/b&gt;" in page.text
    assert status_of(client, ref) == ["rejected"]


def test_a_decision_stands(client, ref):
    """What was accepted cannot be rejected any more, and says so."""
    decide(client, ref)
    answer = decide(client, ref, "reject", reason="changed my mind")
    assert answer.status_code == 409
    assert 'id="already-decided"' in answer.text
    assert status_of(client, ref) == ["accepted"]


def test_what_is_not_there_is_404(client):
    """An unknown job and an unknown page each get a page of ours."""
    assert decide(client, "AZ-1").status_code == 404
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "Practice portal" in answer.text
    assert client.get(f"/jobs/{FIRST}/accept").status_code == 405
    assert client.post("/login", data={"csrf": "x" * 70_000}).status_code == 413


def test_a_page_never_claims_what_is_not_so(client, ref):
    """An address typed by hand shows no confirmation for a job that is open."""
    assert 'class="flash' not in client.get("/jobs", params={"decided": ref}).text


def test_pages_ask_nothing_of_other_hosts(client):
    """Every address on a page is our own, and the policy would forbid any other."""
    for path in ("/jobs", "/results"):
        page = client.get(path)
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        assert all(link.startswith("/") for link in re.findall(r'(?:href|src|action)="([^"]*)"', page.text))
        assert page.headers["cache-control"] == "no-store"
    assert client.get("/static/practice.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/icon.svg").status_code == 200


def test_taken_jobs_say_so(tmp_path):
    """A job that somebody else took answers 409 and shows as taken."""
    settings = {"taken_share": 1, "taken_after_seconds": 0, "initial_jobs": 2}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        sign_in(client)
        answer = decide(client, FIRST)
        assert answer.status_code == 409
        assert 'id="already-taken"' in answer.text
        assert status_of(client, FIRST) == ["taken"]
        assert f'data-ref="{FIRST}"' not in client.get("/results").text


def test_jobs_arrive(tmp_path):
    """New jobs come while one looks."""
    settings = {"arrival_seconds": 0.05, "initial_jobs": 0}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        sign_in(client)
        deadline = time.monotonic() + 10
        while f'data-ref="{SECOND}"' not in client.get("/jobs").text:
            assert time.monotonic() < deadline


def test_logins_expire(tmp_path):
    """After its time a login is over, and the login page says so."""
    settings = {"session_seconds": 0.3}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        assert sign_in(client).url.path == "/jobs"
        deadline = time.monotonic() + 10
        while client.get("/jobs").status_code != 303:
            assert time.monotonic() < deadline
        assert 'id="session-ended"' in client.get("/login").text


def test_slow_pages_are_slow_and_the_health_check_is_not(tmp_path):
    """The quirk delays answers, and leaves the health check alone."""
    settings = {"slow_share": 1, "slow_seconds": 0.4}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        assert client.get("/login").elapsed.total_seconds() >= 0.4
        assert client.get("/healthz").elapsed.total_seconds() < 0.4


def test_errors_come_before_or_after_the_work(tmp_path):
    """With every answer a 500, some accepts were done all the same."""
    state = tmp_path / "portal.sqlite"
    with portal_process(state, initial_jobs=20) as portal, browsing(portal.url) as client:
        sign_in(client)
        token = csrf(client.get("/jobs"))
        cookies = client.cookies
        portal.end()
    with portal_process(state, error_share=1) as portal, browsing(portal.url) as client:
        client.cookies = cookies
        for n in range(1, 21):
            answer = client.post(f"/jobs/AZ-{100_000 + n}/accept", data={"csrf": token})
            assert answer.status_code == 500
            assert 'id="broken"' in answer.text
        assert client.get("/healthz").status_code == 200
    with portal_process(state) as portal, browsing(portal.url) as client:
        client.cookies = cookies
        done = client.get("/results").text.count("data-ref=")
        assert 0 < done < 20


def test_redesigned_pages_work_all_the_same(tmp_path):
    """A person sees no difference: only names of ids or classes are others."""
    settings = {"markup_share": 1, "initial_jobs": 2}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        page = sign_in(client)
        assert page.url.path == "/jobs"
        assert page.headers["content-length"] == str(len(page.content))
        assert ('id="jobs-2"' in page.text) is not ('class="ref-2"' in page.text)
        assert decide(client, FIRST).headers["location"] == f"/jobs?decided={FIRST}"
        assert f"Job {FIRST} is yours." in client.get(f"/jobs?decided={FIRST}").text
        assert client.get("/healthz").text == "ok\n"
