"""Declares the parameters, the body and the responses of a route.

::

    @blueprint.get("/jobs")
    @documented(list[JobRecordModel], query=JobsPage)
    async def list_jobs() -> list[Json]:
        ...

``/openapi.json`` describes the route by this declaration, and ``strict_parameters`` enforces it.
"""

# quart-schema's annotations name models of packages that are not installed.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, get_origin, get_type_hints

from quart_schema import document_querystring, document_request, document_response
from quart_schema.validation import QUART_SCHEMA_QUERYSTRING_ATTRIBUTE, QUART_SCHEMA_REQUEST_ATTRIBUTE

F = TypeVar("F", bound=Callable[..., object])


def documented(
    response: object, *, query: object = None, body: object = None, status: int = 200
) -> Callable[[F], F]:
    """Declare the models of the response with this status, of the query string and of the JSON body.

    May be applied again for a response with another status.
    """

    def decorate(route: F) -> F:
        route = document_response(response, status)(route)
        if query is not None:
            route = document_querystring(query)(route)
        if body is not None:
            route = document_request(body)(route)
        return route

    return decorate


def documented_query(query: object) -> Callable[[F], F]:
    """Declare the query string of a route that ``/openapi.json`` omits."""
    return document_querystring(query)


def parameters_of(route: object) -> Mapping[str, bool]:
    """The parameters that a route reads, each with whether it may be repeated."""
    model: object = getattr(route, QUART_SCHEMA_QUERYSTRING_ATTRIBUTE, None)
    if model is None:
        return {}
    return {name: get_origin(kind) is list for name, kind in get_type_hints(model).items()}


def reads_body(route: object) -> bool:
    """Whether a route reads the body of a request."""
    return hasattr(route, QUART_SCHEMA_REQUEST_ATTRIBUTE)
