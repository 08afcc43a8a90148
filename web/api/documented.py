"""Says of a route what it takes and what it answers, for ``/openapi.json`` and for ``intake.py``."""

# The models of quart-schema's own annotations are partly of packages that are not here.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, get_origin, get_type_hints

from quart_schema import document_querystring, document_request, document_response
from quart_schema.validation import QUART_SCHEMA_QUERYSTRING_ATTRIBUTE, QUART_SCHEMA_REQUEST_ATTRIBUTE

F = TypeVar("F", bound=Callable[..., object])


def documented(
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


def documented_query(query: object) -> Callable[[F], F]:
    """The model of the query string alone, for a route that the description leaves out."""
    return document_querystring(query)


def parameters_of(route: object) -> Mapping[str, bool]:
    """The parameters that a route reads, each with whether it may come several times."""
    model: object = getattr(route, QUART_SCHEMA_QUERYSTRING_ATTRIBUTE, None)
    if model is None:
        return {}
    return {name: get_origin(kind) is list for name, kind in get_type_hints(model).items()}


def reads_body(route: object) -> bool:
    """Whether a route reads the body of a request."""
    return hasattr(route, QUART_SCHEMA_REQUEST_ATTRIBUTE)
