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
    JobTaken,
    LoginRefused,
    Outcome,
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
    """An engine at work on a portal."""
    async with open_http_portal(replace(PRACTICE.at(url), **changes), OPERATOR) as portal:
        await portal.login()
        yield portal


async def test_the_whole_job_on_a_calm_portal(state):
    """Sign in, read, accept, reject, and read what became of each."""
    with portal_process(state, initial_jobs=5) as site:
        async with signed_in(site.url) as portal:
            jobs = await portal.jobs()
            assert [job.ref for job in jobs] == [f"AZ-10000{n}" for n in range(1, 6)]
            assert jobs[0].status == "open"
            assert jobs[0].job_type
            await portal.accept("AZ-100001")
            await portal.reject("AZ-100002", "não é nosso & <b>no</b>")
            assert [job.ref for job in await portal.jobs()] == ["AZ-100003", "AZ-100004", "AZ-100005"]
            assert await portal.outcome("AZ-100001") is Outcome.ACCEPTED
            assert await portal.outcome("AZ-100002") is Outcome.REJECTED
            assert await portal.outcome("AZ-100003") is Outcome.OPEN
            assert await portal.outcome("AZ-1") is Outcome.UNKNOWN


async def test_a_table_that_did_not_change_reads_the_same(state):
    """Its jobs can be decided on as before, and what was decided shows."""
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
    """Accepting our own job again is fine, deciding it otherwise is too late; a stranger to the table too."""
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
            assert await portal.outcome("AZ-100001") is Outcome.ACCEPTED


async def test_a_conflict_that_the_definition_does_not_know_is_unknown_and_settled_by_reading(state):
    """Rejecting from an old page what was accepted elsewhere is told by the portal in words of its own."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url) as portal, signed_in(site.url) as other:
            await other.jobs()
            await portal.accept("AZ-100001")
            with pytest.raises(OutcomeUnknown, match="the answer, 409, shows neither"):
                await other.reject("AZ-100001", "no")
            assert await other.outcome("AZ-100001") is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "wrong", [Credentials(username="x", password="practice"), replace(OPERATOR, password="x")]
)
async def test_wrong_credentials_are_refused_with_the_portals_reason(state, wrong):
    """The reason is the portal's own text, and no password shows in a credential."""
    with portal_process(state) as site:
        async with open_http_portal(PRACTICE.at(site.url), wrong) as portal:
            with pytest.raises(LoginRefused) as caught:
                await portal.login()
    assert caught.value.reason == "User name or password is wrong."
    assert wrong.password not in repr(wrong).replace(wrong.username, "")


async def test_an_expired_session_is_told_before_anything_is_done(state):
    """Reading and clicking both say so, and after another login all goes on."""
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
            assert await portal.outcome("AZ-100001") is Outcome.OPEN


async def test_a_job_taken_by_others_is_refused(state):
    """Also when it was open on the page that was read last."""
    with portal_process(state, initial_jobs=3, taken_share=1, taken_after_seconds=3) as site:
        async with signed_in(site.url) as portal, signed_in(site.url) as other:
            ref = (await portal.jobs())[0].ref
            with trio.fail_after(30):
                while await other.outcome(ref) is not Outcome.TAKEN:
                    pass
            with pytest.raises(JobTaken):
                await portal.accept(ref)
            with pytest.raises(JobTaken):
                await portal.reject(ref, "too late")


async def test_every_answer_a_500(state):
    """Reading is unavailable, a click is unknown; afterwards reading settles each click."""
    refs = [f"AZ-1000{n:02}" for n in range(1, 13)]
    with portal_process(state, initial_jobs=12) as site:
        port = httpx.URL(site.url).port
        async with signed_in(site.url) as portal:
            await portal.jobs()
            site.end()
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
                assert await portal.outcome(refs[0]) in {Outcome.OPEN, Outcome.ACCEPTED}


async def test_a_slow_portal(state):
    """Too slow to read is unavailable; too slow to answer a click is unknown, and had been done."""
    with portal_process(state, initial_jobs=2) as site:
        port = httpx.URL(site.url).port
        async with signed_in(site.url, timeout_seconds=0.5) as portal:
            await portal.jobs()
            site.end()
            with portal_process(state, port=port, slow_share=1, slow_seconds=1.5):
                with pytest.raises(OutcomeUnknown, match="no answer in time"):
                    await portal.accept("AZ-100001")
                with pytest.raises(PortalUnavailable, match="no answer in time"):
                    await portal.jobs()
            with portal_process(state, port=port):
                assert await portal.outcome("AZ-100001") is Outcome.ACCEPTED


async def test_a_portal_that_is_not_there(state):
    """A click that could not even connect did not arrive, and is not called unknown."""
    with portal_process(state) as site:
        async with signed_in(site.url) as portal:
            await portal.jobs()
            site.kill()
            for attempt in (partial(portal.accept, "AZ-100001"), portal.jobs, portal.login):
                with pytest.raises(PortalUnavailable):
                    await attempt()


async def test_a_cancelled_accept_may_have_been_done(state):
    """Cancelling lets go at once, and the portal tells afterwards."""
    with portal_process(state, initial_jobs=2, slow_share=1, slow_seconds=1) as site:
        async with signed_in(site.url) as portal:
            await portal.jobs()
            with trio.move_on_after(0.5) as scope:
                await portal.accept("AZ-100001")
            assert scope.cancelled_caught
            assert await portal.outcome("AZ-100001") is Outcome.ACCEPTED


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
        ({"outcomes": {"open": Outcome.OPEN}}, "td.status"),
    ],
)
async def test_a_changed_page_names_itself_and_what_it_lacks(state, change, selector):
    """Whatever of the definition is not there any more is named."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url, **change) as portal:
            with pytest.raises(PageChanged) as caught:
                await every_step(portal)
    assert caught.value.selector == selector


@pytest.mark.parametrize("wrong", ["form", "success", "username_field"])
async def test_a_changed_login_page_is_no_wrong_password(state, wrong):
    """A login page that is not as defined is a changed page."""
    with portal_process(state) as site, pytest.raises(PageChanged):
        async with signed_in(site.url, login=replace(PRACTICE.login, **{wrong: "gone"})):
            pass


async def test_a_portal_without_a_lookup_is_read_whole(state):
    """Where results cannot be asked for one by one, the page with all of them is read."""
    with portal_process(state, initial_jobs=2) as site:
        async with signed_in(site.url, results=replace(PRACTICE.results, lookup="")) as portal:
            await portal.accept("AZ-100001")
            assert await portal.outcome("AZ-100001") is Outcome.ACCEPTED


Script = Callable[[str, str], tuple[int, str, str]]
"""What a scripted site answers to a method and a path: status, location, body."""


@asynccontextmanager
async def scripted(script: Script) -> AsyncGenerator[str, None]:
    """A site that answers as told and closes after each answer; a status of 0 closes without one."""

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
async def test_how_a_click_may_end(answers, error):
    """Only the first answer to a click may say that nothing was done; whatever fails after it is unknown."""

    def script(method, path):
        return answers.get(f"{method} {path}", (200, "", LOGIN if path == "/login" else TABLE))

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        with pytest.raises(error):
            await portal.accept("A")


async def test_a_confirmed_click_stays_confirmed_whatever_else_its_page_shows():
    """A confirmation counts even when the table under it has changed."""
    done = '<p class="flash accepted">yours</p><table id="jobs"><tbody><tr></tr></table>'

    def script(method, _):
        return 200, "", done if method == "POST" else TABLE

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        await portal.accept("A")


@pytest.mark.parametrize(
    ("status", "error"), [(429, PortalUnavailable), (503, PortalUnavailable), (404, PageChanged)]
)
async def test_refusals_of_a_reading(status, error):
    """Too many requests and 5xx are for later, a page that is not there is for a person."""

    def script(*_):
        return status, "", "<p>no</p>"

    async with scripted(script) as url, open_http_portal(PRACTICE.at(url), OPERATOR) as portal:
        with pytest.raises(error):
            await portal.jobs()


async def test_going_to_a_page(state):
    """Any page of the portal is found, and says its title and where it is in the end."""
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
async def test_other_hosts_are_not_gone_to(address):
    """What is not the portal's own address is refused before anything is asked."""
    async with open_http_portal(PRACTICE, OPERATOR) as portal:
        with pytest.raises(ForeignAddress, match="is not on the portal at"):
            await portal.navigate(address)


async def test_a_page_that_leads_to_another_host_is_not_followed():
    """The redirect is where it ends."""
    async with (
        scripted(lambda *_: (302, "http://127.0.0.1:1/", "")) as url,
        open_http_portal(PRACTICE.at(url), OPERATOR) as portal,
    ):
        with pytest.raises(ForeignAddress, match=r"127\.0\.0\.1:1/"):
            await portal.navigate("/away")


async def test_there_are_no_pictures_without_a_browser():
    """The sentence says what to do instead."""
    async with open_http_portal(PRACTICE, OPERATOR) as portal:
        with pytest.raises(CannotScreenshot, match="screenshots need the browser engine"):
            await portal.screenshot()
