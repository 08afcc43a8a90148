"""Rejects query parameters and bodies that a route does not read.

A misspelt parameter must not count as a missing one: ``/api/tasks/pause?tpye=login``
would pause every type. What a route reads is what ``documented`` declares.

The routes of the Compatibility API ignore surplus parameters, as its clients expect,
and so do the page and its files, to whose addresses browsers add parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from quart import request, websocket
from quart_trio import QuartTrio

from ..errors import Problem
from .documented import parameters_of, reads_body
from .query_params import Args, unknown_name


def is_strict(rule: str) -> bool:
    """Whether a route with this rule rejects what it does not read."""
    return rule == "/ws" or (rule.startswith("/api/") and not rule.startswith("/api/bot/"))


class StrictParameters:
    """Checks each request against the parameters and the body that its route declares."""

    def __init__(self, app: QuartTrio) -> None:
        self._app = app
        self._known: dict[str, Mapping[str, bool]] = {}

    def install(self) -> None:
        """Run before every route of the app."""
        self._app.before_request(self._check_request)
        self._app.before_websocket(self._check_websocket)

    def check_parameters(self, args: Args, endpoint: str) -> None:
        """Reject a parameter that the route does not read, and one given several times that it reads once.

        Raises:
            Problem: with the code ``unknown_parameter`` or ``repeated_parameter``.
        """
        known = self._parameters(endpoint)
        for name, values in args.lists():
            if name not in known:
                raise unknown_name("parameter", name, known)
            if len(values) > 1 and not known[name]:
                raise Problem(422, "repeated_parameter", f"Repeated parameter `{name}`; give it once.")

    async def _check_request(self) -> None:
        endpoint = request.endpoint
        # OPTIONS lists the methods, and an unknown route is a 404; neither reads parameters.
        if request.method == "OPTIONS" or request.url_rule is None or endpoint is None:
            return
        if not is_strict(request.url_rule.rule):
            return
        self.check_parameters(request.args, endpoint)
        if reads_body(self._app.view_functions[endpoint]):
            return
        # Some clients send an empty object instead of no body.
        if b"".join(cast("bytes", await request.get_data()).split()) not in (b"", b"{}"):
            known = self._parameters(endpoint)
            names = ", ".join(f"`{name}`" for name in sorted(known))
            hint = f" Its query parameters are {names}." if names else ""
            raise Problem(422, "unexpected_body", f"This route takes no body.{hint}")

    async def _check_websocket(self) -> None:
        if websocket.url_rule is not None and websocket.endpoint is not None:
            self.check_parameters(websocket.args, websocket.endpoint)

    def _parameters(self, endpoint: str) -> Mapping[str, bool]:
        if endpoint not in self._known:
            self._known[endpoint] = parameters_of(self._app.view_functions[endpoint])
        return self._known[endpoint]
