"""What the API says of itself is what it answers."""

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

from ..web.parts.views import web_settings


def models() -> dict[str, Any]:
    """The routes that read, each with the model of its answer."""
    doors = ActorAddresses(**{door.name: Address(door.name) for door in fields(ActorAddresses)})
    app = create_app(doors, web_settings())
    return {
        rule.rule: getattr(app.view_functions[rule.endpoint], QUART_SCHEMA_RESPONSE_ATTRIBUTE)[200][0]
        for rule in Description(app).generate_rules()
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


def strays(answer: Any, read: Any, where: str = "$") -> Iterator[str]:
    """Fields of an answer that reading it by its model passed over."""
    if isinstance(answer, dict):
        known = {str(key): value for key, value in read.items()}
        for key, value in answer.items():
            if key in known:
                yield from strays(value, known[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"
    elif isinstance(answer, list):
        for place, value in enumerate(answer):
            yield from strays(value, read[place], f"{where}[{place}]")


@pytest.mark.parametrize("rule", MODELS)
def test_an_answer_fits_its_description(client, rule) -> None:
    """It has the fields of its model with their types, and no others."""
    path = rule
    for gap, what in FILLED.items():
        if gap in path:
            path = path.replace(gap, known(client, what))
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    adapter = TypeAdapter(MODELS[rule])
    read = adapter.dump_python(adapter.validate_json(answer.content), mode="json")
    assert list(strays(answer.json(), read)) == []


def known(client, what: str) -> str:
    """Something that is there to be asked about."""
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
