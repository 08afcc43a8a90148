"""Every error of a request as one answer: ``application/problem+json`` (RFC 9457) in one sentence.

``detail`` and ``error`` say the same, because some clients of the Compatibility API
read the one and some the other; ``code`` names the situation for programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from quart import Response, has_request_context, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from actors.database.refusals import (
    ConfigurationNameTaken,
    NoSuchConfiguration,
    NoSuchSession,
    QueryRefused,
    RecordUnavailable,
    WriteRefused,
)
from actors.mirror.messages import MirrorBusy, MirrorStatusUnavailable
from actors.queue.messages import InvalidTask, InvalidTaskState, NoSuchTask, QueueUnavailable, StaleToken
from actors.sessions.messages import AlreadyRunning, NoActiveSession, NoSuchPortal, TooManySessions
from actors.sessions.screenshots.messages import NoSuchScreenshot
from runtime import ActorCrashed, AskFailed, AskTimeout, MailboxFull, Refusal

from ..errors import Problem
from ..live.hub import TooManyClients

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web")

RETRY_AFTER: Final = {"Retry-After": "2"}

_REFUSALS: Final[Mapping[type[Refusal], tuple[int, str, str | None]]] = {
    AlreadyRunning: (400, "already_running", "Bot is already running"),
    NoActiveSession: (400, "no_active_session", "No active bot session found"),
    TooManySessions: (409, "too_many_sessions", None),
    NoSuchPortal: (422, "no_such_portal", None),
    NoSuchSession: (404, "no_such_session", None),
    NoSuchScreenshot: (404, "no_such_screenshot", None),
    TooManyClients: (503, "too_many_clients", None),
    RecordUnavailable: (503, "record_away", None),
    QueueUnavailable: (503, "queue_away", None),
    MirrorStatusUnavailable: (503, "mirror_unknown", None),
    MirrorBusy: (503, "mirror_busy", None),
    NoSuchTask: (404, "no_such_task", None),
    InvalidTaskState: (409, "task_state_forbids", None),
    StaleToken: (409, "stale_token", None),
    InvalidTask: (422, "invalid_task", None),
    QueryRefused: (422, "query_refused", None),
    NoSuchConfiguration: (404, "no_such_configuration", None),
    ConfigurationNameTaken: (409, "name_taken", None),
    WriteRefused: (422, "write_refused", None),
    Refusal: (503, "unavailable", None),
}
"""Status, code and, where the Compatibility API knows it, the sentence."""


def register_problems(app: QuartTrio, *, max_body: int) -> None:
    """Answer every error of the app with a problem."""

    async def answer(error: Exception) -> Response:
        # A handshake, which may be refused as well, has no request of that kind.
        writes = has_request_context() and request.method not in ("GET", "HEAD", "OPTIONS")
        return problem_response(problem_of(error, max_body=max_body, writes=writes))

    app.register_error_handler(Exception, answer)
    app.register_error_handler(HTTPException, answer)


def problem_of(error: Exception, *, max_body: int, writes: bool) -> Problem:
    """What a client is told of an error. One that nobody foresaw is logged here, and told without details.

    Where something was to be changed (``writes``), the client has to know that
    it may have been.
    """
    match error:
        case Problem():
            return error
        case Refusal():
            return _refused(error)
        case AskTimeout() | ActorCrashed() if writes:
            sentence = f"{_sentence(error)}; what you asked for may be done or not"
            return Problem(503, "unavailable", sentence, headers=RETRY_AFTER)
        case AskFailed() | MailboxFull():
            return Problem(503, "unavailable", _sentence(error), headers=RETRY_AFTER)
        case RequestEntityTooLarge():
            return Problem(413, "body_too_large", f"The body must have at most {max_body} bytes.")
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            detail = f"This method is not allowed here; use {allowed or 'another'}."
            return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
        case NotFound():
            return Problem(404, "not_found", "There is nothing at this address.")
        case HTTPException(code=int(status)) if 400 <= status < 600:
            code = error.name.lower().replace(" ", "_")
            return Problem(status, code, error.description or f"{error.name}.")
        case _:
            LOGGER.error("request_failed", exc_info=error)
            return Problem(500, "internal", "Something went wrong here; the log says what.")


def problem_response(problem: Problem) -> Response:
    """A problem as an answer to HTTP, or to a WebSocket handshake."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "error": problem.detail,
        "code": problem.code,
    }
    return Response(
        json.dumps(body),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def _refused(refusal: Refusal) -> Problem:
    status, code, detail = next(_REFUSALS[kind] for kind in type(refusal).__mro__ if kind in _REFUSALS)
    headers = RETRY_AFTER if status == 503 else {}
    return Problem(status, code, detail or _sentence(refusal), headers=headers)


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
