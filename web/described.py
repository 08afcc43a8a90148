"""Says of a route what it takes and what it answers, for ``/openapi.json``; it changes nothing else."""

# The models of quart-schema's own annotations are partly of packages that are not here.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from quart_schema import document_querystring, document_request, document_response

F = TypeVar("F", bound=Callable[..., object])


def described(
    answer: object, *, query: object = None, body: object = None, status: int = 200
) -> Callable[[F], F]:
    """The models of the answer with this status, of the query string and of the JSON body.

    May be used again for an answer with another status.
    """

    def decorate(route: F) -> F:
        route = document_response(answer, status)(route)
        if query is not None:
            route = document_querystring(query)(route)
        if body is not None:
            route = document_request(body)(route)
        return route

    return decorate
