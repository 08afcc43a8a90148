"""The web application: the routes of all capabilities, authentication, error responses. It holds no state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio
from quart import Response, has_request_context, request
from quart.json.provider import DefaultJSONProvider
from quart_trio import QuartTrio

from actors.settings import WebSettings

from ..capabilities import WEB_CAPABILITIES
from ..capability import WebCapability
from ..errors import Problem
from ..live.websocket import live_blueprint
from ..page.assets import Assets, PageQuery
from .addresses import ActorAddresses
from .auth import RequestAuth
from .docs import docs_blueprint
from .documented import documented_query
from .metrics.routes import metrics_blueprint
from .problems import problem_response, register_problems
from .strict_parameters import StrictParameters

BODY_TIMEOUT: Final = 10.0
"""Seconds that a client may take to send a body."""
RESPONSE_TIMEOUT: Final = 30.0
"""Seconds that a client may take to read a response."""


def create_app(
    actors: ActorAddresses,
    settings: WebSettings,
    *,
    plugins: Sequence[WebCapability] = (),
    closing: trio.Event | None = None,
) -> QuartTrio:
    """Build the application. Once ``closing`` is set, WebSockets close with 1001."""
    capabilities = (*WEB_CAPABILITIES, *plugins)
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT
    app.config["RESPONSE_TIMEOUT"] = RESPONSE_TIMEOUT
    app.config["PROPAGATE_EXCEPTIONS"] = False
    # Keys stay in the order in which the serializers write them.
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    refusals = {kind: known for each in capabilities for kind, known in each.problems.items()}
    register_problems(app, refusals, max_body=settings.max_body_bytes)
    assets = Assets()
    RequestAuth(settings).install(app)
    StrictParameters(app).install()
    app.register_blueprint(assets.blueprint())
    app.register_blueprint(docs_blueprint(app, {each.name: each.description for each in capabilities}))
    for capability in capabilities:
        app.register_blueprint(capability.routes(actors))
    sources = [each.metrics for each in capabilities if each.metrics is not None]
    app.register_blueprint(metrics_blueprint(actors, sources))
    app.register_blueprint(live_blueprint(actors, trio.Event() if closing is None else closing))

    @app.get("/")
    @documented_query(PageQuery)
    async def page() -> Response:
        return assets.answer("index.html")

    @app.errorhandler(Problem)
    async def ask_for_token(problem: Problem) -> Response:
        """Show a person a form where a program would read an error."""
        if problem.code != "token_required" or not has_request_context() or request.path != "/":
            return problem_response(problem)
        return assets.answer("token.html", problem.status)

    return app
