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
    """A client that keeps cookies and follows no redirects."""
    with httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def shared_portal(tmp_path_factory):
    """A portal without faults, shared by tests that each use jobs of their own."""
    with portal_process(
        tmp_path_factory.mktemp("shared_portal") / "portal.sqlite", initial_jobs=60
    ) as portal:
        yield portal


@pytest.fixture
def client(shared_portal):
    with browsing(shared_portal.url) as client:
        sign_in(client)
        yield client


@pytest.fixture
def signed_out(shared_portal):
    with browsing(shared_portal.url) as client:
        yield client


@pytest.fixture
def ref(client, shared_portal):
    """A job that no other test uses."""
    rows = re.findall(r'action="/jobs/(AZ-\d+)/accept"', client.get("/jobs").text)
    return rows[0]


def decide(client, ref, verb="accept", **fields):
    form = {"csrf": csrf(client.get("/jobs")), **fields}
    return client.post(f"/jobs/{ref}/{verb}", data=form)


def status_of(client, ref):
    """Return the status of one job on the results page."""
    return re.findall(
        r'<td class="status"><span class="pill (\w+)">', client.get("/results", params={"ref": ref}).text
    )


def test_pages_redirect_to_the_login(signed_out):
    """Every page except the login and the health check."""
    assert signed_out.get("/").headers["location"] == "/jobs"
    for path in ("/jobs", "/results", f"/results?ref={FIRST}"):
        answer = signed_out.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert signed_out.post(f"/jobs/{FIRST}/accept", data={}).headers["location"] == "/login"
    assert signed_out.get("/healthz").text == "ok\n"


def test_signing_in_and_out(signed_out):
    """Correct credentials open the job table; signing out closes it."""
    page = sign_in(signed_out)
    assert (page.status_code, page.url.path) == (200, "/jobs")
    assert 'id="logout"' in page.text
    assert signed_out.post("/logout", data={"csrf": csrf(page)}).headers["location"] == "/login"
    assert signed_out.get("/jobs").headers["location"] == "/login"


@pytest.mark.parametrize("wrong", [{"username": "unknown"}, {"password": "guess"}, {"password": ""}])
def test_wrong_credentials_are_rejected(signed_out, wrong):
    """The login form shows the reason."""
    page = sign_in(signed_out, **wrong)
    assert page.status_code == 401
    assert 'id="login-error"' in page.text
    assert signed_out.get("/jobs").status_code == 303


def test_cookies_are_protected(signed_out):
    """Both cookies are HttpOnly and SameSite."""
    page = signed_out.get("/login")
    answer = signed_out.post(
        "/login", data={"csrf": csrf(page), "username": "operator", "password": "practice"}
    )
    for cookie in (page.headers["set-cookie"], answer.headers["set-cookie"]):
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_its_token_does_nothing(client, ref, token):
    """A POST without a token of our pages is rejected."""
    answer = client.post(f"/jobs/{ref}/accept", data={"csrf": token})
    assert answer.status_code == 400
    assert status_of(client, ref) == []
    login = client.post("/login", data={"csrf": token, "username": "operator", "password": "practice"})
    assert login.status_code == 400
    assert 'id="stale-form"' in login.text


def test_accepting_twice_counts_once(client, ref):
    """The second accept has the same response, and there is one result."""
    for _ in range(2):
        answer = decide(client, ref)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs?decided={ref}")
    page = client.get("/jobs", params={"decided": ref})
    assert f"You accepted job {ref}." in page.text
    assert status_of(client, ref) == ["accepted"]
    assert client.get("/results").text.count(f'data-ref="{ref}"') == 1


def test_two_accepts_at_once_make_one_result(client, ref):
    """A double click is one decision."""
    form = {"csrf": csrf(client.get("/jobs"))}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(f"/jobs/{ref}/accept", data=form), range(16)))
    assert {answer.status_code for answer in answers} == {303}
    assert client.get("/results").text.count(f'data-ref="{ref}"') == 1


def test_rejecting_keeps_the_reason(client, ref):
    """The results page shows the reason as text, not as markup."""
    decide(client, ref, "reject", reason=" too <b>far</b> ")
    page = client.get("/results", params={"ref": ref})
    assert "too &lt;b&gt;far&lt;/b&gt;" in page.text
    assert status_of(client, ref) == ["rejected"]


def test_a_decision_is_final(client, ref):
    """An accepted job cannot be rejected."""
    decide(client, ref)
    answer = decide(client, ref, "reject", reason="changed my mind")
    assert answer.status_code == 409
    assert 'id="already-decided"' in answer.text
    assert status_of(client, ref) == ["accepted"]


def test_unknown_jobs_and_pages_are_404(client):
    """Each has an error page of the portal."""
    assert decide(client, "AZ-1").status_code == 404
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "Practice portal" in answer.text
    assert client.get(f"/jobs/{FIRST}/accept").status_code == 405
    assert client.post("/login", data={"csrf": "x" * 70_000}).status_code == 413


def test_a_confirmation_needs_a_decision(client, ref):
    """A URL typed by hand shows no confirmation for an open job."""
    assert 'class="flash' not in client.get("/jobs", params={"decided": ref}).text


def test_pages_make_no_requests_to_other_hosts(client):
    """All URLs are local, and the content security policy forbids others."""
    for path in ("/jobs", "/results"):
        page = client.get(path)
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        assert all(link.startswith("/") for link in re.findall(r'(?:href|src|action)="([^"]*)"', page.text))
        assert page.headers["cache-control"] == "no-store"
    assert client.get("/static/practice.css").headers["content-type"].startswith("text/css")
    assert client.get("/static/icon.svg").status_code == 200


def test_taken_jobs_are_shown(tmp_path):
    """A job taken by others has 409 and the status taken."""
    settings = {"taken_share": 1, "taken_after_seconds": 0, "initial_jobs": 2}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        sign_in(client)
        answer = decide(client, FIRST)
        assert answer.status_code == 409
        assert 'id="already-taken"' in answer.text
        assert status_of(client, FIRST) == ["taken"]
        assert f'data-ref="{FIRST}"' not in client.get("/results").text


def test_jobs_arrive(tmp_path):
    """New jobs appear over time."""
    settings = {"arrival_seconds": 0.05, "initial_jobs": 0}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        sign_in(client)
        deadline = time.monotonic() + 10
        while f'data-ref="{SECOND}"' not in client.get("/jobs").text:
            assert time.monotonic() < deadline


def test_logins_expire(tmp_path):
    """The login page says that the session has ended."""
    settings = {"session_seconds": 0.3}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        assert sign_in(client).url.path == "/jobs"
        deadline = time.monotonic() + 10
        while client.get("/jobs").status_code != 303:
            assert time.monotonic() < deadline
        assert 'id="session-ended"' in client.get("/login").text


def test_slow_pages_are_slow_and_the_health_check_is_not(tmp_path):
    """The fault delays pages, but not the health check."""
    settings = {"slow_share": 1, "slow_seconds": 0.4}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        assert client.get("/login").elapsed.total_seconds() >= 0.4
        assert client.get("/healthz").elapsed.total_seconds() < 0.4


def test_errors_come_before_or_after_the_work(tmp_path):
    """With every response a 500, some accepts took effect."""
    state = tmp_path / "portal.sqlite"
    with portal_process(state, initial_jobs=20) as portal, browsing(portal.url) as client:
        sign_in(client)
        token = csrf(client.get("/jobs"))
        cookies = client.cookies
        portal.stop()
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


def test_redesigned_pages_work(tmp_path):
    """Only names of ids or classes differ."""
    settings = {"markup_share": 1, "initial_jobs": 2}
    with portal_process(tmp_path / "portal.sqlite", **settings) as portal, browsing(portal.url) as client:
        page = sign_in(client)
        assert page.url.path == "/jobs"
        assert page.headers["content-length"] == str(len(page.content))
        assert ('id="jobs-2"' in page.text) is not ('class="ref-2"' in page.text)
        assert decide(client, FIRST).headers["location"] == f"/jobs?decided={FIRST}"
        assert f"You accepted job {FIRST}." in client.get(f"/jobs?decided={FIRST}").text
        assert client.get("/healthz").text == "ok\n"
