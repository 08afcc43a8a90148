"""``/openapi.json`` and ``/docs``: the OpenAPI document and Swagger UI, without the internet.

quart-schema reads the routes and the models that decorate them. Only its reader
is used: its extension converts every response, and its pages load a script from
a CDN. The page is Swagger UI, whose files come with ``flask-swagger-ui``.
"""

# quart-schema builds plain dicts whose types it does not say.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from quart import Blueprint, Response
from quart_schema import DataSource, HttpSecurityScheme, Info, OpenAPIProvider, QuartSchema, Tag, hide
from quart_trio import QuartTrio
from werkzeug.routing.converters import BaseConverter, UUIDConverter
from werkzeug.routing.rules import Rule

from ..page.assets import Assets
from .problems import ProblemModel

TITLE: Final = "botvisor"
DESCRIPTION: Final = (
    "Keeps a fleet of bots alive. Every error is `application/problem+json` with one sentence in `detail`; "
    "503 carries `Retry-After`. Events are sent over the WebSocket at `/ws`."
)
VERSION: Final = "2.0.0"
"""Of the Compatibility API."""

DIST: Final = Path(str(files("flask_swagger_ui"))) / "dist"
UI_FILES: Final = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})

# Swagger UI draws its icons from data: URLs; beyond that it needs what the page needs.
POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " object-src 'none'"
)

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>botvisor API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/static/pages/docs.js"></script>
</body>
</html>
"""


def docs_blueprint(app: QuartTrio, tags: Mapping[str, str]) -> Blueprint:
    """The routes ``/openapi.json`` and ``/docs`` of ``app``: its blueprints in the order of the tags."""
    blueprint = Blueprint("docs", __name__)
    assets = Assets(DIST, only=UI_FILES)

    @blueprint.get("/openapi.json")
    @hide
    async def openapi() -> dict[str, Any]:
        return Description(app, tags).schema()

    @blueprint.get("/docs")
    @hide
    async def page() -> Response:
        return Response(
            PAGE, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY}
        )

    @blueprint.get("/docs/<name>")
    @hide
    async def asset(name: str) -> Response:
        return assets.answer(name)

    return blueprint


class Description(OpenAPIProvider):
    """The OpenAPI document: the routes of all capabilities, each with its models and the problem response."""

    def __init__(self, app: QuartTrio, tags: Mapping[str, str]) -> None:
        self._tags = tags
        extension = QuartSchema(
            info=Info(title=TITLE, version=VERSION, description=DESCRIPTION),
            tags=[Tag(name=name, description=text) for name, text in tags.items()],
            security_schemes={"token": HttpSecurityScheme(scheme="bearer")},
            security=[{}, {"token": []}],
        )
        app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "pydantic")
        app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
        super().__init__(app, extension)

    def generate_rules(self) -> list[Rule]:
        order = list(self._tags)
        rules = [rule for rule in super().generate_rules() if _tag_of(rule) in self._tags]
        return sorted(rules, key=lambda rule: (order.index(_tag_of(rule)), rule.rule))

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        problem, more = self.build_response_object(ProblemModel, None)
        problem["content"] = {"application/problem+json": problem["content"]["application/json"]}
        for operations in paths.values():
            for operation in operations.values():
                operation["tags"] = [_tag_of(rule)]
                answers = operation["responses"]
                if not any(str(status).startswith("2") for status in answers):
                    answers["200"] = {"description": "Done.", "content": {"application/json": {"schema": {}}}}
                operation["responses"] = {str(status): answer for status, answer in answers.items()}
                operation["responses"]["default"] = problem
        return paths, components | more

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, UUIDConverter):
            parameter["schema"] = {"type": "string", "format": "uuid"}
        return parameter

    def build_response_object(
        self, model: type[Any], headers_model: type[Any] | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        answer, components = super().build_response_object(model, headers_model)
        answer["description"] = (inspect.getdoc(model) or "Done.").partition("\n")[0]
        return answer, components | _named(answer["content"]["application/json"])

    def build_request_body(
        self, model: type[Any], source: DataSource
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        body, components = super().build_request_body(model, source)
        return body, components | _named(body["content"]["application/json"])

    def operation_id(self, method: str, path: str, func: object) -> str:
        return method.lower() + "".join(
            f"_{part.strip('{}').replace('-', '_')}" for part in path.split("/") if part and part != "api"
        )


def _named(media: dict[str, Any]) -> dict[str, Any]:
    """Move a model to the components, and refer to it."""
    schema = media["schema"]
    if schema.get("type") != "object" or "title" not in schema:
        return {}
    media["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}
    return {schema["title"]: schema}


def _tag_of(rule: Rule) -> str:
    endpoint: str = rule.endpoint
    return endpoint.partition(".")[0]
