from __future__ import annotations

import pytest
from werkzeug.exceptions import ImATeapot

from actors.database.refusals import (
    ConfigurationNameTaken,
    NoSuchConfiguration,
    NoSuchSession,
    QueryRefused,
    RecordUnavailable,
)
from actors.mirror.messages import MirrorBusy, MirrorStatusUnavailable
from actors.sessions.messages import AlreadyRunning, NoActiveSession, TooManySessions
from runtime import ActorCrashed, ActorStopped, AskTimeout, MailboxFull, Refusal
from web.api.problems import problem_of
from web.errors import Problem
from web.live.hub import TooManyClients

from ..parts.application import House, client, living
from ..parts.views import web_settings


class Unforeseen(Refusal):
    """A refusal that the front end does not know."""


@pytest.mark.parametrize(
    ("error", "status", "code", "detail"),
    [
        (AskTimeout("db_reader gave no answer"), 503, "unavailable", "db_reader gave no answer"),
        (ActorCrashed("db_reader failed"), 503, "unavailable", "db_reader failed"),
        (ActorStopped("it was stopped"), 503, "unavailable", "it was stopped"),
        (MailboxFull("64 wait"), 503, "unavailable", "64 wait"),
        (Unforeseen("not now"), 503, "unavailable", "not now"),
        (Unforeseen(), 503, "unavailable", "Unforeseen"),
        (TooManyClients("1000 are connected"), 503, "too_many_clients", "1000 are connected"),
        (TooManySessions("20 run"), 409, "too_many_sessions", "20 run"),
        (RecordUnavailable("PostgreSQL is away"), 503, "record_away", "PostgreSQL is away"),
        (MirrorStatusUnavailable("Redis is away"), 503, "mirror_unknown", "Redis is away"),
        (MirrorBusy("32 others wait"), 503, "mirror_busy", "32 others wait"),
        (QueryRefused("no sense"), 422, "query_refused", "no sense"),
        (NoSuchConfiguration("none is active"), 404, "no_such_configuration", "none is active"),
        (ConfigurationNameTaken("it is taken"), 409, "name_taken", "it is taken"),
        (NoSuchSession("not on record"), 404, "no_such_session", "not on record"),
        (AlreadyRunning("whatever"), 400, "already_running", "Bot is already running"),
        (NoActiveSession("whatever"), 400, "no_active_session", "No active bot session found"),
        (Problem(422, "odd", "That is odd."), 422, "odd", "That is odd."),
        (ImATeapot("Tea only."), 418, "i'm_a_teapot", "Tea only."),
        (ZeroDivisionError("secret"), 500, "internal", "Something went wrong here; the log says what."),
    ],
)
def test_every_error_is_a_problem(error, status, code, detail):
    """What cannot be done now is 503, what never works is 4xx, what nobody foresaw is 500 without details."""
    problem = problem_of(error, max_body=10, writes=False)
    assert (problem.status, problem.code, problem.detail) == (status, code, detail)
    assert ("Retry-After" in problem.headers) == (status == 503)


@pytest.mark.parametrize("error", [AskTimeout("no answer within 2 s"), ActorCrashed("it failed")])
def test_who_wanted_a_change_is_told_that_it_may_be_done(error):
    """Nobody knows; whoever only looked need not care."""
    sentence = f"{error}; what you asked for may be done or not"
    assert problem_of(error, max_body=10, writes=True).detail == sentence


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "There is nothing at this address."),
        ("GET", "/static/nowhere.js", 404, "There is nothing at this address."),
        ("GET", "/ws", 400, None),
        ("DELETE", "/api/bot/status", 405, "This method is not allowed here; use GET, HEAD, OPTIONS."),
        ("GET", "/api/bot/start", 405, "This method is not allowed here; use OPTIONS, POST."),
    ],
)
async def test_what_is_not_there_is_json_too(method, path, status, detail):
    """Nobody ever gets an HTML page for an error."""
    application = House()
    async with living(application), client(application) as http:
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
async def test_a_large_body_is_refused(chunked):
    """413 names the limit, whether the length was told before or not."""

    async def pieces():
        for _ in range(4):
            yield b" " * 1000

    application = House(settings=web_settings(max_body_bytes=2000))
    async with living(application), client(application) as http:
        answer = await http.post("/api/bot/start", content=pieces() if chunked else b" " * 4000)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body must have at most 2000 bytes."
    assert application.sessions == []
