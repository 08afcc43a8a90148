"""The web application: routes, guard and error answers around the doors; it holds no state of its own."""

from __future__ import annotations

from typing import Final

import trio
from quart import Response, has_request_context, request
from quart.json.provider import DefaultJSONProvider
from quart_trio import QuartTrio

from actors.settings import WebSettings

from .api.analytics import analytics_blueprint
from .api.bot import bot_blueprint
from .api.bot_tasks import bot_tasks_blueprint
from .api.configuration import configuration_blueprint
from .api.health import health_blueprint
from .api.mirror import mirror_blueprint
from .api.realtime import realtime_blueprint
from .api.sessions import sessions_blueprint
from .api.supervisor import supervisor_blueprint
from .api.tasks import tasks_blueprint
from .assets import Assets
from .described import asked
from .docs import docs_blueprint
from .doors import Doors
from .errors import Problem
from .guard import Guard
from .intake import Intake
from .live import live_blueprint
from .models.page import PageQuery
from .problems import problem_response, register_problems

BODY_TIMEOUT: Final = 10.0
"""Seconds that a client may take to send a body."""
RESPONSE_TIMEOUT: Final = 30.0
"""Seconds that a client may take to read an answer."""


def create_app(doors: Doors, settings: WebSettings, *, closing: trio.Event | None = None) -> QuartTrio:
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
    Guard(settings).install(app)
    Intake(app).install()
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
    @asked(PageQuery)
    async def page() -> Response:
        return assets.answer("index.html")

    @app.errorhandler(Problem)
    async def ask_for_token(problem: Problem) -> Response:
        """Show a person a form where a program would read an error."""
        if problem.code != "token_required" or not has_request_context() or request.path != "/":
            return problem_response(problem)
        return assets.answer("token.html", problem.status)

    return app
