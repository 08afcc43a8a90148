from __future__ import annotations

import pytest
from werkzeug.exceptions import ImATeapot

from actors.database.errors import (
    ConfigurationNameTaken,
    DatabaseOutage,
    NoSuchConfiguration,
    NoSuchSession,
    QueryRefused,
)
from actors.mirror.messages import MirrorBusy, MirrorStatusUnavailable
from actors.sessions.messages import AlreadyRunning, NoActiveSession, TooManySessions
from runtime import ActorCrashed, ActorStopped, AskTimeout, MailboxFull, Refusal
from web.api.problems import COMMON_REFUSALS, problem_of
from web.capabilities import WEB_CAPABILITIES
from web.errors import Problem
from web.live.hub import TooManyClients

from ...builders import web_settings
from ..fakes.application import FakeApplication, client, serving

REFUSALS = COMMON_REFUSALS | {
    kind: known for capability in WEB_CAPABILITIES for kind, known in capability.problems.items()
}


class UnknownRefusal(Refusal):
    """A refusal without a problem of its own."""


@pytest.mark.parametrize(
    ("error", "status", "code", "detail"),
    [
        (AskTimeout("db_reader gave no answer"), 503, "unavailable", "db_reader gave no answer"),
        (ActorCrashed("db_reader failed"), 503, "unavailable", "db_reader failed"),
        (ActorStopped("it was stopped"), 503, "unavailable", "it was stopped"),
        (MailboxFull("64 wait"), 503, "unavailable", "64 wait"),
        (UnknownRefusal("not now"), 503, "unavailable", "not now"),
        (UnknownRefusal(), 503, "unavailable", "UnknownRefusal"),
        (TooManyClients("1000 are connected"), 503, "too_many_clients", "1000 are connected"),
        (TooManySessions("20 run"), 409, "too_many_sessions", "20 run"),
        (
            DatabaseOutage("PostgreSQL is unavailable"),
            503,
            "database_unavailable",
            "PostgreSQL is unavailable",
        ),
        (
            MirrorStatusUnavailable("Redis is unavailable"),
            503,
            "mirror_status_unavailable",
            "Redis is unavailable",
        ),
        (MirrorBusy("32 others wait"), 503, "mirror_busy", "32 others wait"),
        (QueryRefused("no sense"), 422, "query_refused", "no sense"),
        (NoSuchConfiguration("none is active"), 404, "no_such_configuration", "none is active"),
        (ConfigurationNameTaken("it is taken"), 409, "name_taken", "it is taken"),
        (NoSuchSession("unknown id"), 404, "no_such_session", "unknown id"),
        (AlreadyRunning("whatever"), 400, "already_running", "Bot is already running"),
        (NoActiveSession("whatever"), 400, "no_active_session", "No active bot session found"),
        (Problem(422, "odd", "That is odd."), 422, "odd", "That is odd."),
        (ImATeapot("Tea only."), 418, "i'm_a_teapot", "Tea only."),
        (ZeroDivisionError("secret"), 500, "internal", "Internal error; see the log."),
    ],
)
def test_every_error_is_a_problem(error, status, code, detail):
    """Temporary errors are 503, client errors 4xx, unexpected ones 500 without details."""
    problem = problem_of(error, REFUSALS, max_body=10, writes=False)
    assert (problem.status, problem.code, problem.detail) == (status, code, detail)
    assert ("Retry-After" in problem.headers) == (status == 503)


@pytest.mark.parametrize("error", [AskTimeout("no answer within 2 s"), ActorCrashed("it failed")])
def test_a_timed_out_change_may_have_been_made(error):
    """The sentence says so; for a read it does not."""
    sentence = f"{error}; the change may or may not have been made"
    assert problem_of(error, REFUSALS, max_body=10, writes=True).detail == sentence


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "Not found."),
        ("GET", "/static/nowhere.js", 404, "Not found."),
        ("GET", "/ws", 400, None),
        ("DELETE", "/api/bot/status", 405, "Method not allowed; use GET, HEAD, OPTIONS."),
        ("GET", "/api/bot/start", 405, "Method not allowed; use OPTIONS, POST."),
    ],
)
async def test_routing_errors_are_problems(method, path, status, detail):
    """Never HTML pages."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() == {"type", "title", "status", "detail", "error", "code"}
    assert body["detail"] == body["error"]
    if detail:
        assert body["detail"] == detail
    if status == 405:
        assert answer.headers["allow"] == detail.partition("use ")[2].rstrip(".")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_is_rejected(chunked):
    """413 names the limit, with and without a Content-Length."""

    async def pieces():
        for _ in range(4):
            yield b" " * 1000

    application = FakeApplication(settings=web_settings(max_body_bytes=2000))
    async with serving(application), client(application) as http:
        answer = await http.post("/api/bot/start", content=pieces() if chunked else b" " * 4000)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body must have at most 2000 bytes."
    assert application.sessions == []
