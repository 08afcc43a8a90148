"""The web application: routes, guard and error answers around the doors; it holds no state of its own."""

from __future__ import annotations

from typing import Final

import trio
from quart import Response, has_request_context, request
from quart.json.provider import DefaultJSONProvider
from quart_trio import QuartTrio

from actors.settings import WebSettings

from ..errors import Problem
from ..live.websocket import live_blueprint
from ..page.assets import Assets
from ..page.models import PageQuery
from .addresses import ActorAddresses
from .analytics.routes import analytics_blueprint
from .auth import RequestAuth
from .bot.routes import bot_blueprint
from .bot.task_routes import bot_tasks_blueprint
from .configuration.routes import configuration_blueprint
from .docs import docs_blueprint
from .documented import documented_query
from .health.routes import health_blueprint
from .mirror.routes import mirror_blueprint
from .problems import problem_response, register_problems
from .realtime.routes import realtime_blueprint
from .sessions.routes import sessions_blueprint
from .strict_parameters import StrictParameters
from .supervisor.routes import supervisor_blueprint
from .tasks.routes import tasks_blueprint

BODY_TIMEOUT: Final = 10.0
"""Seconds that a client may take to send a body."""
RESPONSE_TIMEOUT: Final = 30.0
"""Seconds that a client may take to read an answer."""


def create_app(
    doors: ActorAddresses, settings: WebSettings, *, closing: trio.Event | None = None
) -> QuartTrio:
    """Build the application; once ``closing`` is set, WebSockets say goodbye with 1001."""
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT
    app.config["RESPONSE_TIMEOUT"] = RESPONSE_TIMEOUT
    app.config["PROPAGATE_EXCEPTIONS"] = False
    # Keys in the order in which the schemas name them, which is the order to read them in.
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    register_problems(app, max_body=settings.max_body_bytes)
    assets = Assets()
    RequestAuth(settings).install(app)
    StrictParameters(app).install()
    app.register_blueprint(assets.blueprint())
    app.register_blueprint(docs_blueprint(app))
    app.register_blueprint(bot_blueprint(doors))
    app.register_blueprint(configuration_blueprint(doors))
    app.register_blueprint(analytics_blueprint(doors))
    app.register_blueprint(realtime_blueprint(doors))
    app.register_blueprint(bot_tasks_blueprint(doors))
    app.register_blueprint(sessions_blueprint(doors))
    app.register_blueprint(tasks_blueprint(doors))
    app.register_blueprint(mirror_blueprint(doors))
    app.register_blueprint(health_blueprint(doors))
    app.register_blueprint(supervisor_blueprint(doors))
    app.register_blueprint(live_blueprint(doors, trio.Event() if closing is None else closing))

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
