"""Turns errors into ``application/problem+json`` responses (RFC 9457) with one sentence.

``detail`` and ``error`` hold the same sentence, because clients of the Compatibility API
read either; ``code`` names the situation for programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from quart import Response, has_request_context, request
from quart_trio import QuartTrio
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from actors.database.errors import DatabaseOutage, QueryRefused, WriteRefused
from runtime import ActorCrashed, AskFailed, AskTimeout, MailboxFull, Refusal

from ..errors import Problem, ProblemKind
from ..live.hub import TooManyClients

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web")

RETRY_AFTER: Final = {"Retry-After": "2"}

COMMON_REFUSALS: Final[Mapping[type[Refusal], ProblemKind]] = {
    TooManyClients: ProblemKind(status=503, code="too_many_clients"),
    DatabaseOutage: ProblemKind(status=503, code="database_unavailable"),
    QueryRefused: ProblemKind(status=422, code="query_refused"),
    WriteRefused: ProblemKind(status=422, code="write_refused"),
    Refusal: ProblemKind(status=503, code="unavailable"),
}
"""Refusals that belong to no single resource; each resource adds its own."""


def register_problems(
    app: QuartTrio, refusals: Mapping[type[Refusal], ProblemKind], *, max_body: int
) -> None:
    """Install the error handler of the app.

    This is the one place in ``web`` that catches every exception.
    """

    known = {**COMMON_REFUSALS, **refusals}

    async def respond(error: Exception) -> Response:
        # A WebSocket handshake has no request context.
        writes = has_request_context() and request.method not in ("GET", "HEAD", "OPTIONS")
        return problem_response(problem_of(error, known, max_body=max_body, writes=writes))

    app.register_error_handler(Exception, respond)
    app.register_error_handler(HTTPException, respond)


def problem_of(
    error: Exception, refusals: Mapping[type[Refusal], ProblemKind], *, max_body: int, writes: bool
) -> Problem:
    """The problem for an error. An unexpected one is logged here and reported without details.

    ``writes`` says whether the request may have changed something; the sentence of a timeout then says so.
    """
    match error:
        case Problem():
            return error
        case Refusal():
            return _refusal_problem(error, refusals)
        case AskTimeout() | ActorCrashed() if writes:
            sentence = f"{_sentence(error)}; the change may or may not have been made"
            return Problem(503, "unavailable", sentence, headers=RETRY_AFTER)
        case AskFailed() | MailboxFull():
            return Problem(503, "unavailable", _sentence(error), headers=RETRY_AFTER)
        case RequestEntityTooLarge():
            return Problem(413, "body_too_large", f"The body must have at most {max_body} bytes.")
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            detail = f"Method not allowed; use {allowed or 'another'}."
            return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
        case NotFound():
            return Problem(404, "not_found", "Not found.")
        case HTTPException(code=int(status)) if 400 <= status < 600:
            code = error.name.lower().replace(" ", "_")
            return Problem(status, code, error.description or f"{error.name}.")
        case _:
            LOGGER.error("request_failed", exc_info=error)
            return Problem(500, "internal", "Internal error; see the log.")


def problem_response(problem: Problem) -> Response:
    """The response of a problem, to a request or to a WebSocket handshake."""
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


def _refusal_problem(refusal: Refusal, refusals: Mapping[type[Refusal], ProblemKind]) -> Problem:
    kind = next(refusals[base] for base in type(refusal).__mro__ if base in refusals)
    headers = RETRY_AFTER if kind.status == 503 else {}
    return Problem(kind.status, kind.code, kind.detail or _sentence(refusal), headers=headers)


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__


class ProblemModel(TypedDict):
    """An error in one sentence (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error: str
    code: str
