from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from uuid import UUID

import pytest
from trio_websocket import ConnectionRejected

from actors.queue.messages import PauseTasks
from runtime import Address
from web.api.addresses import ActorAddresses
from web.api.app import create_app
from web.api.documented import parameters_of, reads_body
from web.api.strict_parameters import is_strict

from .. import wire
from ..parts.application import House, client, living
from ..parts.views import session_view, web_settings

GAPS = {"<uuid:session_id>": str(UUID(int=1)), "<uuid:task_id>": str(UUID(int=2))}
GAPS |= {"<uuid:config_id>": str(UUID(int=3)), "<int:number>": "4", "<name>": "five"}
APP = create_app(
    ActorAddresses(**{door.name: Address(door.name) for door in fields(ActorAddresses)}), web_settings()
)


def routes() -> Iterator[tuple[str, str, str]]:
    """Of every route of the app its method, an address, and its endpoint."""
    for rule in APP.url_map.iter_rules():
        path = rule.rule
        for gap, filled in GAPS.items():
            path = path.replace(gap, filled)
        assert "<" not in path, f"{path} is not filled in here"
        if not rule.websocket:
            for method in sorted(rule.methods - {"OPTIONS"}):
                yield method, path, rule.endpoint


ROUTES = list(routes())
STRICT = [route for route in ROUTES if is_strict(route[1])]
SILENT = [route for route in STRICT if not reads_body(APP.view_functions[route[2]])]


async def test_every_route_refuses_a_parameter_that_it_does_not_know():
    """In one sentence, and nobody behind the route hears of it."""
    assert len(STRICT) > 30
    async with living(House()) as application, client(application) as http:
        for method, path, _ in STRICT:
            answer = await http.request(method, path, params={"_": "123"})
            assert answer.status_code == 422, (method, path)
            if method != "HEAD":
                assert answer.json()["code"] == "unknown_parameter"
                sentence = "The parameter _ must be left out, as it is not known here; "
                assert answer.json()["detail"].startswith(sentence)
    assert application.asked_queue == []


async def test_every_route_takes_the_parameters_of_its_description():
    """Whatever it says of their values, it knows them; each once."""
    async with living(House()) as application, client(application) as http:
        for method, path, endpoint in ROUTES:
            for name, is_list in parameters_of(APP.view_functions[endpoint]).items():
                one = await http.request(method, path, params={name: "x"})
                assert b"unknown_parameter" not in one.content, (method, path, name)
                assert not is_list
                if is_strict(path):
                    several = await http.request(method, path, params={name: ["x", "y"]})
                    assert several.status_code == 422
                    assert method == "HEAD" or several.json()["code"] == "repeated_parameter"


async def test_what_old_clients_and_browsers_add_is_passed_over():
    """The Compatibility API's routes, the page and its files answer as without it."""
    lenient = [route for route in ROUTES if not is_strict(route[1])]
    assert len(lenient) > 30
    async with living(House(sessions=[session_view()])) as application, client(application) as http:
        for method, path, endpoint in lenient:
            body = {} if reads_body(APP.view_functions[endpoint]) else {"content": b'{"odd": 1}'}
            answer = await http.request(method, path, params={"_": "123"}, **body)
            assert b"unknown_parameter" not in answer.content, (method, path)
            assert b"unexpected_body" not in answer.content, (method, path)
        for path in ("/?_=1", "/static/style.css?v=2", "/api/bot/status?_=1", "/health?t=1"):
            assert (await http.get(path)).status_code in (200, 503), path


async def test_every_route_that_reads_no_body_refuses_one():
    """But an empty object, which says nothing, is none."""
    async with living(House()) as application, client(application) as http:
        for method, path, _ in SILENT:
            for content in (b'{"type": "echo"}', b"type=echo", b"[]", b"null"):
                answer = await http.request(method, path, content=content)
                assert answer.status_code == 422, (method, path)
                assert method == "HEAD" or answer.json()["code"] == "unexpected_body"
        assert application.asked_queue == []
        for content in (b"", b" \r\n", b"{}", b" { }\n"):
            told = await http.post("/api/tasks/pause", content=content)
            assert told.status_code == 200
    assert application.asked_queue == [PauseTasks(type=None)] * 4


@pytest.mark.parametrize(
    ("method", "address", "sentence"),
    [
        (
            "POST",
            "/api/tasks/pause?tpye=login",
            "The parameter tpye must be left out, as it is not known here; did you mean type?",
        ),
        (
            "GET",
            "/api/tasks?status=running",
            "The parameter status must be left out, as it is not known here; did you mean state?",
        ),
        (
            "POST",
            "/api/supervisor/dead-letters/1/resend?force=1",
            "The parameter force must be left out, as it is not known here; there are none.",
        ),
        (
            "GET",
            "/api/tasks/00000000-0000-0000-0000-000000000001/logs?%00%20=1",
            "The parameter '\\x00 ' must be left out, as it is not known here; known are cursor, limit.",
        ),
        ("POST", "/api/tasks/pause?type=login&type=echo", "The parameter type must be given once."),
    ],
)
async def test_what_was_meant_is_said(method, address, sentence):
    """The sentence names what is known."""
    async with living(House()) as application, client(application) as http:
        answer = await http.request(method, address)
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


async def test_a_body_where_none_is_read_is_told_of_the_parameters():
    """What it says would go there."""
    async with living(House()) as application, client(application) as http:
        answer = await http.post("/api/tasks/pause", json={"type": "echo"})
    sentence = "The body must be left out, as none is read here; the parameters of the address are type."
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


async def test_the_websocket_refuses_a_parameter_that_it_does_not_know():
    """Before the handshake: a client that asked for one session would be told of all."""
    async with living(House()) as application:
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
            async with wire.websocket(application.port, query=f"?sesion={UUID(int=1)}"):
                pass
        (rejection,) = refused.value.exceptions
        assert rejection.status_code == 422
        assert b"did you mean session?" in rejection.body
        both = f"?session={UUID(int=1)}&session={UUID(int=2)}&topics=jobs"
        async with wire.websocket(application.port, query=both) as socket:
            assert (await wire.received(socket))["type"] == "connection_established"


async def test_the_short_way_passes_over_as_well():
    """A question that is answered from memory is known to the last byte, and another one is another way."""
    application = House(sessions=[session_view()])
    ask = b"GET /api/bot/status%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
    async with living(application), wire.connected(application.port) as stream:
        for _ in range(3):
            for question, status in (
                (ask % (b"", 0), b"200"),
                (ask % (b"?_=123", 0), b"200"),
                (ask % (b"", 7) + b'{"a":1}', b"200"),
                (ask % (b"", 2) + b"{}", b"200"),
            ):
                await stream.send_all(question)
                head = (await wire.read_until(stream, b"\r\n\r\n")).partition(b"\r\n\r\n")
                assert head[0].split(b" ")[1] == status
                said = dict(line.lower().split(b": ", 1) for line in head[0].split(b"\r\n")[1:])
                left = int(said[b"content-length"]) - len(head[2])
                while left > 0:
                    left -= len(await stream.receive_some())


async def test_the_page_takes_its_token():
    """Also where none is set, as in an address that was kept."""
    async with living(House()) as application, client(application) as http:
        assert (await http.get("/?token=kept")).status_code == 200
