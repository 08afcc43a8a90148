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

from ...builders import session_view, web_settings
from .. import raw_client
from ..fakes.application import FakeApplication, client, serving

PLACEHOLDERS = {
    "<path:name>": "style.css",
    "<uuid:session_id>": str(UUID(int=1)),
    "<uuid:task_id>": str(UUID(int=2)),
}
PLACEHOLDERS |= {"<uuid:config_id>": str(UUID(int=3)), "<int:number>": "4", "<name>": "five"}
APP = create_app(
    ActorAddresses(**{address.name: Address(address.name) for address in fields(ActorAddresses)}),
    web_settings(),
)


def routes() -> Iterator[tuple[str, str, str]]:
    """Method, path and endpoint of every route of the app."""
    for rule in APP.url_map.iter_rules():
        path = rule.rule
        for placeholder, value in PLACEHOLDERS.items():
            path = path.replace(placeholder, value)
        assert "<" not in path, f"{path} has an unknown placeholder"
        if not rule.websocket:
            for method in sorted(rule.methods - {"OPTIONS"}):
                yield method, path, rule.endpoint


ROUTES = list(routes())
STRICT = [route for route in ROUTES if is_strict(route[1])]
BODILESS = [route for route in STRICT if not reads_body(APP.view_functions[route[2]])]


async def test_every_route_rejects_an_unknown_parameter():
    """In one sentence, before any actor is asked."""
    assert len(STRICT) > 30
    async with serving(FakeApplication()) as application, client(application) as http:
        for method, path, _ in STRICT:
            answer = await http.request(method, path, params={"_": "123"})
            assert answer.status_code == 422, (method, path)
            if method != "HEAD":
                assert answer.json()["code"] == "unknown_parameter"
                sentence = "Unknown parameter `_`; "
                assert answer.json()["detail"].startswith(sentence)
    assert application.queue_messages == []


async def test_every_route_accepts_its_described_parameters():
    """Each once."""
    async with serving(FakeApplication()) as application, client(application) as http:
        for method, path, endpoint in ROUTES:
            for name, is_list in parameters_of(APP.view_functions[endpoint]).items():
                one = await http.request(method, path, params={name: "x"})
                assert b"unknown_parameter" not in one.content, (method, path, name)
                assert not is_list
                if is_strict(path):
                    several = await http.request(method, path, params={name: ["x", "y"]})
                    assert several.status_code == 422
                    assert method == "HEAD" or several.json()["code"] == "repeated_parameter"


async def test_lenient_routes_ignore_unknown_parameters():
    """The Compatibility API, the page and its files do."""
    lenient = [route for route in ROUTES if not is_strict(route[1])]
    assert len(lenient) > 30
    async with (
        serving(FakeApplication(sessions=[session_view()])) as application,
        client(application) as http,
    ):
        for method, path, endpoint in lenient:
            body = {} if reads_body(APP.view_functions[endpoint]) else {"content": b'{"odd": 1}'}
            answer = await http.request(method, path, params={"_": "123"}, **body)
            assert b"unknown_parameter" not in answer.content, (method, path)
            assert b"unexpected_body" not in answer.content, (method, path)
        for path in ("/?_=1", "/static/style.css?v=2", "/api/bot/status?_=1", "/health?t=1"):
            assert (await http.get(path)).status_code in (200, 503), path


async def test_every_route_without_a_body_rejects_one():
    """Except an empty object."""
    async with serving(FakeApplication()) as application, client(application) as http:
        for method, path, _ in BODILESS:
            for content in (b'{"type": "echo"}', b"type=echo", b"[]", b"null"):
                answer = await http.request(method, path, content=content)
                assert answer.status_code == 422, (method, path)
                assert method == "HEAD" or answer.json()["code"] == "unexpected_body"
        assert application.queue_messages == []
        for content in (b"", b" \r\n", b"{}", b" { }\n"):
            response = await http.post("/api/tasks/pause", content=content)
            assert response.status_code == 200
    assert application.queue_messages == [PauseTasks(type=None)] * 4


@pytest.mark.parametrize(
    ("method", "address", "sentence"),
    [
        (
            "POST",
            "/api/tasks/pause?tpye=login",
            "Unknown parameter `tpye`; did you mean `type`?",
        ),
        (
            "GET",
            "/api/tasks?status=running",
            "Unknown parameter `status`; did you mean `state`?",
        ),
        (
            "POST",
            "/api/supervisor/dead-letters/1/resend?force=1",
            "Unknown parameter `force`; this route takes no parameters.",
        ),
        (
            "GET",
            "/api/tasks/00000000-0000-0000-0000-000000000001/logs?%00%20=1",
            "Unknown parameter `\\x00 `; known are `cursor`, `limit`.",
        ),
        ("POST", "/api/tasks/pause?type=login&type=echo", "Repeated parameter `type`; give it once."),
    ],
)
async def test_the_sentence_suggests_a_known_parameter(method, address, sentence):
    """Or lists all of them."""
    async with serving(FakeApplication()) as application, client(application) as http:
        answer = await http.request(method, address)
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


async def test_the_sentence_of_an_unexpected_body_lists_the_parameters():
    """Where its content may belong."""
    async with serving(FakeApplication()) as application, client(application) as http:
        answer = await http.post("/api/tasks/pause", json={"type": "echo"})
    sentence = "This route takes no body. Its query parameters are `type`."
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


async def test_the_websocket_rejects_an_unknown_parameter():
    """Before the handshake; otherwise a misspelt session would subscribe to all."""
    async with serving(FakeApplication()) as application:
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as raised:
            async with raw_client.websocket(application.port, query=f"?sesion={UUID(int=1)}"):
                pass
        (rejection,) = raised.value.exceptions
        assert rejection.status_code == 422
        assert b"did you mean `session`?" in rejection.body
        both = f"?session={UUID(int=1)}&session={UUID(int=2)}&topics=jobs"
        async with raw_client.websocket(application.port, query=both) as socket:
            assert (await raw_client.received(socket))["type"] == "connection_established"


async def test_the_response_cache_is_lenient_too():
    """Requests with surplus parameters or a body bypass it."""
    application = FakeApplication(sessions=[session_view()])
    template = b"GET /api/bot/status%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
    async with serving(application), raw_client.connected(application.port) as stream:
        for _ in range(3):
            for question, status in (
                (template % (b"", 0), b"200"),
                (template % (b"?_=123", 0), b"200"),
                (template % (b"", 7) + b'{"a":1}', b"200"),
                (template % (b"", 2) + b"{}", b"200"),
            ):
                await stream.send_all(question)
                head = (await raw_client.read_until(stream, b"\r\n\r\n")).partition(b"\r\n\r\n")
                assert head[0].split(b" ")[1] == status
                headers = dict(line.lower().split(b": ", 1) for line in head[0].split(b"\r\n")[1:])
                left = int(headers[b"content-length"]) - len(head[2])
                while left > 0:
                    left -= len(await stream.receive_some())


async def test_the_page_accepts_a_token_parameter():
    """Also without a token in the settings, as in a bookmarked address."""
    async with serving(FakeApplication()) as application, client(application) as http:
        assert (await http.get("/?token=kept")).status_code == 200
