"""Responses match their OpenAPI models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from pydantic import TypeAdapter
from quart_schema.validation import QUART_SCHEMA_RESPONSE_ATTRIBUTE

from runtime import Address
from web.api.addresses import ActorAddresses
from web.api.app import create_app
from web.api.docs import Description
from web.capabilities import WEB_CAPABILITIES

from ..builders import web_settings

TAGS = {capability.name: capability.description for capability in WEB_CAPABILITIES}


def models() -> dict[str, Any]:
    """GET routes, each with the model of its response."""
    actors = ActorAddresses(**{address.name: Address(address.name) for address in fields(ActorAddresses)})
    app = create_app(actors, web_settings())
    return {
        rule.rule: getattr(app.view_functions[rule.endpoint], QUART_SCHEMA_RESPONSE_ATTRIBUTE)[200][0]
        for rule in Description(app, TAGS).generate_rules()
        if "GET" in rule.methods
        and hasattr(app.view_functions[rule.endpoint], QUART_SCHEMA_RESPONSE_ATTRIBUTE)
    }


MODELS = models()
FILLED = {
    "<uuid:session_id>": "session",
    "<uuid:task_id>": "task",
    "<uuid:config_id>": "configuration",
    "<name>": "service",
}


def undescribed(answer: Any, read: Any, where: str = "$") -> Iterator[str]:
    """Yield the fields of a response that its model lacks."""
    if isinstance(answer, dict):
        known = {str(key): value for key, value in read.items()}
        for key, value in answer.items():
            if key in known:
                yield from undescribed(value, known[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"
    elif isinstance(answer, list):
        for place, value in enumerate(answer):
            yield from undescribed(value, read[place], f"{where}[{place}]")


@pytest.mark.parametrize("rule", MODELS)
def test_an_answer_fits_its_description(client, rule) -> None:
    """Exactly the fields of the model, with their types."""
    path = rule
    for gap, what in FILLED.items():
        if gap in path:
            path = path.replace(gap, known(client, what))
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    adapter = TypeAdapter(MODELS[rule])
    read = adapter.dump_python(adapter.validate_json(answer.content), mode="json")
    assert list(undescribed(answer.json(), read)) == []


def known(client, what: str) -> str:
    """The id or name of an existing object."""
    match what:
        case "session":
            return client.get("/api/bot/status").json()["session_id"]
        case "task":
            added = client.post("/api/bot/tasks/add?task_type=job_check", json={})
            return added.json()["task_id"]
        case "configuration":
            return client.get("/api/bot/configuration").json()["id"]
        case _:
            return "database"
