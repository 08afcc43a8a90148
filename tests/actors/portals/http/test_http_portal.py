from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from actors.portals import (
    CannotScreenshot,
    Credentials,
    ForeignAddress,
    JobOutcome,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
    load_definition,
)
from actors.portals.http.http_portal import open_http_portal

from ....web.practice.portal_process import portal_process
from ..engines import expire_logins

PRACTICE = load_definition(Path(__file__).parents[4] / "config" / "portals" / "practice.toml")
OPERATOR = Credentials(username="operator", password="practice")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "portal.sqlite"


@asynccontextmanager
async def signed_in(url, **changes):
    """A logged-in portal."""
    async with open_http_portal(replace(PRACTICE.at(url), **changes), OPERATOR) as portal:
        await portal.login()
        yield portal


async def test_a_whole_cycle_on_the_practice_portal(state):
    """Log in, read, accept, reject, and read the outcomes."""
    with portal_process(state, initial_jobs=5) as site:
        async with signed_in(site.url) as portal:
            jobs = await portal.jobs()
            assert [job.ref for job in jobs] == [f"AZ-10000{n}" for n in range(1, 6)]
            assert jobs[0].status == "open"
            assert jobs[0].job_type
            await portal.accept("AZ-100001")
            await portal.reject("AZ-100002", "não é nosso & <b>no</b>")
            assert [job.ref for job in await portal.jobs()] == ["AZ-100003", "AZ-100004", "AZ-100005"]
            assert await portal.outcome("AZ-100001") is JobOutcome.ACCEPTED
            assert await portal.outcome("AZ-100002") is JobOutcome.REJECTED
            assert await portal.outcome("AZ-100003") is JobOutcome.OPEN
            assert await portal.outcome("AZ-1") is JobOutcome.UNKNOWN


async def test_an_unchanged_table(state):
    """Its jobs can be decided, and the decisions show in the next read."""
    with portal_process(state, initial_jobs=2, arrival_seconds=0) as site:
        async with signed_in(site.url) as portal:
            jobs = await portal.jobs()
            assert await portal.jobs() == jobs
            await portal.accept("AZ-100001")
            assert [job.ref for job in await portal.jobs()] == ["AZ-100002"]
            assert [job.ref for job in await portal.jobs()] == ["AZ-100002"]
            await portal.reject("AZ-100002", "no")
            assert await portal.jobs() == await portal.jobs() == []


async def test_a_decision_made_twice_is_made_once(state):
    """Repeated accepts succeed; another decision, or an unknown job, raises `JobTaken`."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url) as portal, signed_in(site.url) as other:
            await other.jobs()
            await portal.accept("AZ-100001")
            await portal.accept("AZ-100001")
            await other.accept("AZ-100001")
            with pytest.raises(JobTaken):
                await portal.reject("AZ-100001", "changed my mind")
            with pytest.raises(JobTaken):
                await portal.accept("AZ-1")
            assert await portal.outcome("AZ-100001") is JobOutcome.ACCEPTED


async def test_an_undefined_conflict_is_an_unknown_outcome(state):
    """Rejecting from an old page a job that was accepted elsewhere; reading shows the outcome."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url) as portal, signed_in(site.url) as other:
            await other.jobs()
            await portal.accept("AZ-100001")
            with pytest.raises(OutcomeUnknown, match=r"the response \(409\) shows neither"):
                await other.reject("AZ-100001", "no")
            assert await other.outcome("AZ-100001") is JobOutcome.ACCEPTED


@pytest.mark.parametrize(
    "wrong", [Credentials(username="x", password="practice"), replace(OPERATOR, password="x")]
)
async def test_wrong_credentials_are_refused_with_the_portals_reason(state, wrong):
    """The reason is the portal's own text; the password is not in the credentials' repr."""
    with portal_process(state) as site:
        async with open_http_portal(PRACTICE.at(site.url), wrong) as portal:
            with pytest.raises(LoginRefused) as caught:
                await portal.login()
    assert caught.value.reason == "User name or password is wrong."
    assert wrong.password not in repr(wrong).replace(wrong.username, "")


async def test_an_expired_session_is_detected(state):
    """Reads and decisions raise `SessionExpired`; after another login they work."""
    with portal_process(state, initial_jobs=2, session_seconds=600) as site:
        async with signed_in(site.url) as portal:
            await portal.jobs()
            expire_logins(state)
            with pytest.raises(SessionExpired):
                await portal.accept("AZ-100001")
            with pytest.raises(SessionExpired):
                await portal.jobs()
            with pytest.raises(SessionExpired):
                await portal.outcome("AZ-100001")
            await portal.login()
            assert await portal.outcome("AZ-100001") is JobOutcome.OPEN


async def test_a_job_taken_by_another_user(state):
    """Also if it was open on the page that was read last."""
    with portal_process(state, initial_jobs=3, taken_share=1, taken_after_seconds=3) as site:
        async with signed_in(site.url) as portal, signed_in(site.url) as other:
            ref = (await portal.jobs())[0].ref
            with trio.fail_after(30):
                while await other.outcome(ref) is not JobOutcome.TAKEN:
                    pass
            with pytest.raises(JobTaken):
                await portal.accept(ref)
            with pytest.raises(JobTaken):
                await portal.reject(ref, "too late")


async def test_a_portal_that_answers_500(state):
    """Reads are `PortalUnavailable`, decisions `OutcomeUnknown`; a later read shows their outcome."""
    refs = [f"AZ-1000{n:02}" for n in range(1, 13)]
    with portal_process(state, initial_jobs=12) as site:
        port = httpx.URL(site.url).port
        async with signed_in(site.url) as portal:
            await portal.jobs()
            site.stop()
            with portal_process(state, port=port, error_share=1):
                with pytest.raises(OutcomeUnknown, match="answered 500"):
                    await portal.accept(refs[0])
                with pytest.raises(PortalUnavailable, match="/jobs answered 500"):
                    await portal.jobs()
                with pytest.raises(PortalUnavailable):
                    await portal.outcome(refs[0])
                with pytest.raises(PortalUnavailable):
                    await portal.accept(refs[0])
                with pytest.raises(PortalUnavailable):
                    await portal.login()
            with portal_process(state, port=port):
                await portal.login()
                assert await portal.outcome(refs[0]) in {JobOutcome.OPEN, JobOutcome.ACCEPTED}


async def test_a_slow_portal(state):
    """A read that times out is `PortalUnavailable`; a decision is `OutcomeUnknown`, and was made."""
    with portal_process(state, initial_jobs=2) as site:
        port = httpx.URL(site.url).port
        async with signed_in(site.url, timeout_seconds=0.5) as portal:
            await portal.jobs()
            site.stop()
            with portal_process(state, port=port, slow_share=1, slow_seconds=1.5):
                with pytest.raises(OutcomeUnknown, match="no answer in time"):
                    await portal.accept("AZ-100001")
                with pytest.raises(PortalUnavailable, match="no answer in time"):
                    await portal.jobs()
            with portal_process(state, port=port):
                assert await portal.outcome("AZ-100001") is JobOutcome.ACCEPTED


async def test_an_unreachable_portal(state):
    """A decision that could not connect is `PortalUnavailable`, not `OutcomeUnknown`."""
    with portal_process(state) as site:
        async with signed_in(site.url) as portal:
            await portal.jobs()
            site.kill()
            for attempt in (partial(portal.accept, "AZ-100001"), portal.jobs, portal.login):
                with pytest.raises(PortalUnavailable):
                    await attempt()


async def test_a_cancelled_accept_may_have_been_made(state):
    """Cancellation is immediate; the outcome can be read afterwards."""
    with portal_process(state, initial_jobs=2, slow_share=1, slow_seconds=1) as site:
        async with signed_in(site.url) as portal:
            await portal.jobs()
            with trio.move_on_after(0.5) as scope:
                await portal.accept("AZ-100001")
            assert scope.cancelled_caught
            assert await portal.outcome("AZ-100001") is JobOutcome.ACCEPTED


async def every_step(portal):
    await portal.accept("AZ-100001")
    await portal.reject("AZ-100002", "no")
    await portal.outcome("AZ-100002")


@pytest.mark.parametrize(
    ("change", "selector"),
    [
        ({"jobs": replace(PRACTICE.jobs, table="table#gone")}, "table#gone"),
        ({"jobs": replace(PRACTICE.jobs, fields=replace(PRACTICE.jobs.fields, ref="td.gone"))}, "td.gone"),
        ({"accept": replace(PRACTICE.accept, form="form.gone")}, "form.gone"),
        ({"reject": replace(PRACTICE.reject, reason_field="gone")}, '[name="gone"]'),
        ({"results": replace(PRACTICE.results, path="/jobs")}, "table#results"),
        ({"outcomes": {"open": JobOutcome.OPEN}}, "td.status"),
    ],
)
async def test_a_changed_page_names_the_missing_selector(state, change, selector):
    """Every part of the definition that no longer matches is named."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url, **change) as portal:
            with pytest.raises(PageChanged) as caught:
                await every_step(portal)
    assert caught.value.selector == selector


@pytest.mark.parametrize("wrong", ["form", "success", "username_field"])
async def test_a_changed_login_page(state, wrong):
    """It is `PageChanged`, not `LoginRefused`."""
    with portal_process(state) as site, pytest.raises(PageChanged):
        async with signed_in(site.url, login=replace(PRACTICE.login, **{wrong: "gone"})):
            pass


async def test_a_portal_without_a_lookup(state):
    """The whole results page is read."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url, results=replace(PRACTICE.results, lookup="")) as portal:
            await portal.accept("AZ-100001")
            assert await portal.outcome("AZ-100001") is JobOutcome.ACCEPTED


Script = Callable[[str, str], tuple[int, str, str]]
"""Maps a method and a path to a response: status, location, body."""


@asynccontextmanager
async def scripted(script: Script) -> AsyncGenerator[str, None]:
    """A site with scripted responses; each connection is closed, with a status of 0 without a response."""

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some()
            method, path, _ = head.decode().split(" ", 2)
            status, location, body = script(method, path)
            if status:
                moved = f"Location: {location}\r\n" if location else ""
                length = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
                await stream.send_all(f"HTTP/1.1 {status} X\r\n{moved}{length}\r\n{body}".encode())

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


TABLE = """<table id="jobs"><tbody><tr><td class="ref">A</td><td class="status">open</td><td>
<form class="accept" method="post" action="/click"></form></td></tr></tbody></table>"""
LOGIN = '<form id="login" method="post"><input name="username"><input name="password"></form>'


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"POST /click": (0, "", "")}, OutcomeUnknown),
        ({"POST /click": (500, "", LOGIN)}, OutcomeUnknown),
        ({"POST /click": (200, "", LOGIN)}, SessionExpired),
        ({"POST /click": (303, "/login", "")}, SessionExpired),
        ({"POST /click": (303, "/done", ""), "GET /done": (0, "", "")}, OutcomeUnknown),
        ({"POST /click": (303, "/done", ""), "GET /done": (503, "", "")}, OutcomeUnknown),
        ({"POST /click": (303, "/done", ""), "GET /done": (303, "/login", "")}, OutcomeUnknown),
        ({"POST /click": (303, "/done", ""), "GET /done": (303, "/done", "")}, OutcomeUnknown),
        ({"POST /click": (303, "http://127.0.0.1:1/", "")}, OutcomeUnknown),
        ({"POST /click": (200, "", '<table id="jobs"><tbody><tr></tr></table>')}, OutcomeUnknown),
        ({"POST /click": (200, "", '<p id="already-taken">gone</p>')}, JobTaken),
    ],
)
async def test_results_of_a_click(answers, error):
    """Only the first response can show that nothing was changed; any failure after it is `OutcomeUnknown`."""

    def script(method, path):
        return answers.get(f"{method} {path}", (200, "", LOGIN if path == "/login" else TABLE))

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        with pytest.raises(error):
            await portal.accept("A")


async def test_a_confirmed_click_on_a_changed_page():
    """A confirmation counts even if the table below it does not match."""
    done = '<p class="flash accepted">yours</p><table id="jobs"><tbody><tr></tr></table>'

    def script(method, _):
        return 200, "", done if method == "POST" else TABLE

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        await portal.accept("A")


@pytest.mark.parametrize(
    ("status", "error"), [(429, PortalUnavailable), (503, PortalUnavailable), (404, PageChanged)]
)
async def test_error_responses_to_a_read(status, error):
    """429 and 5xx are `PortalUnavailable`, 404 is `PageChanged`."""

    def script(*_):
        return status, "", "<p>no</p>"

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        with pytest.raises(error):
            await portal.jobs()


async def test_navigate(state):
    """Returns the title and the final path of any page of the portal."""
    with portal_process(state) as site:
        async with signed_in(site.url) as portal:
            assert (
                await portal.navigate("/results?ref=AZ-1") == "Results · Practice portal (/results?ref=AZ-1)"
            )
            assert await portal.navigate(f"{site.url}/") == "Jobs · Practice portal (/jobs)"
            assert await portal.navigate("/nowhere") == "Not Found · Practice portal (/nowhere)"
        async with open_http_portal(PRACTICE.at(site.url), OPERATOR) as portal:
            assert await portal.navigate("/login") == "Sign in · Practice portal (/login)"
            with pytest.raises(SessionExpired):
                await portal.navigate("/jobs")


@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.example/", "//elsewhere.example", "jobs", "", "/a b", "http://127.0.0.1:1/", "/\n"],
)
async def test_other_hosts_are_rejected(address):
    """No request is made."""
    async with open_http_portal(PRACTICE, OPERATOR) as portal:
        with pytest.raises(ForeignAddress, match="is not on the portal at"):
            await portal.navigate(address)


async def test_a_redirect_to_another_host_is_not_followed():
    """It raises `ForeignAddress`."""
    async with (
        scripted(lambda *_: (302, "http://127.0.0.1:1/", "")) as url,
        open_http_portal(PRACTICE.at(url), OPERATOR) as portal,
    ):
        with pytest.raises(ForeignAddress, match=r"127\.0\.0\.1:1/"):
            await portal.navigate("/away")


async def test_the_http_engine_takes_no_screenshots():
    """The message names the engine that does."""
    async with open_http_portal(PRACTICE, OPERATOR) as portal:
        with pytest.raises(CannotScreenshot, match="screenshots need the browser engine"):
            await portal.screenshot()
