"""Refuses what a request says and its route does not read: a parameter of the address, or a body.

What a client misspells must not be taken for left out: ``/api/tasks/pause?tpye=login``
would hold the tasks of every type. What a route reads is what ``described`` says of it.

The clients of the Compatibility API were never told that they say too much, and
browsers put what they like behind the address of a page: there it is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from quart import request, websocket
from quart_trio import QuartTrio

from ..errors import Problem
from .documented import parameters_of, reads_body
from .query_params import Args, unknown


def is_strict(rule: str) -> bool:
    """Whether a route with this rule refuses what it does not read."""
    return rule == "/ws" or (rule.startswith("/api/") and not rule.startswith("/api/bot/"))


class StrictParameters:
    """Decides on each request by what its route reads."""

    def __init__(self, app: QuartTrio) -> None:
        self._app = app
        self._known: dict[str, Mapping[str, bool]] = {}

    def install(self) -> None:
        """Stand before every route of the app."""
        self._app.before_request(self._check_request)
        self._app.before_websocket(self._check_websocket)

    def check_parameters(self, args: Args, endpoint: str) -> None:
        """Refuse a parameter that the route does not read, or of which it reads only one of several."""
        known = self._parameters(endpoint)
        for name, values in args.lists():
            if name not in known:
                raise unknown("unknown_parameter", name, known, before="The parameter ")
            if len(values) > 1 and not known[name]:
                raise Problem(422, "repeated_parameter", f"The parameter {name} must be given once.")

    async def _check_request(self) -> None:
        endpoint = request.endpoint
        # Whoever asks for OPTIONS is told the methods; and where there is no route, that.
        if request.method == "OPTIONS" or request.url_rule is None or endpoint is None:
            return
        if not is_strict(request.url_rule.rule):
            return
        self.check_parameters(request.args, endpoint)
        if reads_body(self._app.view_functions[endpoint]):
            return
        # Some clients send an empty object where they have nothing to say.
        if b"".join(cast("bytes", await request.get_data()).split()) not in (b"", b"{}"):
            known = self._parameters(endpoint)
            hint = f"; the parameters of the address are {', '.join(sorted(known))}" if known else ""
            raise Problem(422, "unexpected_body", f"The body must be left out, as none is read here{hint}.")

    async def _check_websocket(self) -> None:
        if websocket.url_rule is not None and websocket.endpoint is not None:
            self.check_parameters(websocket.args, websocket.endpoint)

    def _parameters(self, endpoint: str) -> Mapping[str, bool]:
        if endpoint not in self._known:
            self._known[endpoint] = parameters_of(self._app.view_functions[endpoint])
        return self._known[endpoint]
