from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from pydantic import SecretStr

from runtime import AskTimeout
from web.server.response_cache import MAX_HEAD_BYTES, MAX_HEADS, ResponseCache

from ...builders import session_view, web_settings
from .. import raw_client
from ..fakes.application import FakeApplication, serving

ASK = b"GET /api/bot/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"99"), (b"x-after", b"1")]


class BodySource:
    """Creates bodies, and counts them."""

    def __init__(self):
        self.content = b"{}"
        self.calls = 0
        self.failing = False

    async def body(self):
        self.calls += 1
        if self.failing:
            raise AskTimeout("no reply")
        return self.content


def cache_with(*heads):
    source = BodySource()
    cache = ResponseCache({"/": source.body})
    for head in heads:
        cache.store(head, "/", HEADERS)
    return cache, source


async def test_the_same_bytes_get_the_same_head_and_a_new_body():
    """With the length of the new body."""
    cache, source = cache_with(b"GET\r\n\r\n")
    source.content = b'{"n":1}'
    assert await cache.respond(b"GET\r\n\r\n", [(b"date", b"now")]) == (
        b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 7\r\nx-after: 1\r\ndate: now"
        b'\r\n\r\n{"n":1}'
    )


async def test_other_bytes_are_not_cached():
    """A request matches only byte by byte."""
    cache, source = cache_with(b"GET\r\n\r\n")
    for head in (b"GET \r\n\r\n", b"get\r\n\r\n", b"GET\r\n\r\nGET\r\n\r\n", b""):
        assert await cache.respond(head, []) is None
    assert source.calls == 0


async def test_a_failure_is_left_to_the_app():
    """The app responds with the error."""
    cache, source = cache_with(b"GET\r\n\r\n")
    source.failing = True
    assert await cache.respond(b"GET\r\n\r\n", []) is None


async def test_the_cache_is_bounded():
    """Long and partial heads are not stored, and the oldest is evicted."""
    heads = [b"%d\r\n\r\n" % number for number in range(MAX_HEADS + 1)]
    long = b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"
    cache, _ = cache_with(*heads, long, b"half of a head\r\n")
    assert await cache.respond(heads[0], []) is None
    assert await cache.respond(heads[1], []) is not None
    assert await cache.respond(long, []) is None
    assert await cache.respond(b"half of a head\r\n", []) is None


# Through the server


async def exchange(stream, *pieces):
    for piece in pieces:
        await stream.send_all(piece)
        await trio.sleep(0.02)
    head = await raw_client.read_until(stream, b"\r\n\r\n")
    head, _, body = head.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    fields = {name.lower(): value for name, value in fields.items()}
    while len(body) < int(fields[b"content-length"]):
        body += await stream.receive_some()
    return head.split(b"\r\n")[0], {name: fields[name] for name in fields if name != b"date"}, body


@pytest.mark.parametrize(
    "extra", [b"", b"Origin: https://here.example\r\n", b"Connection: keep-alive\r\nX-Any: thing\r\n"]
)
async def test_cache_and_app_give_the_same_response(extra):
    """Status, headers and body, also for an allowed origin."""
    application = FakeApplication(sessions=[session_view()])
    application.settings = web_settings(allowed_origins=("https://here.example",))
    async with serving(application), raw_client.connected(application.port) as stream:
        request = ASK + extra + b"\r\n"
        first, second, third = [await exchange(stream, request) for _ in range(3)]
        # In two pieces it does not match the cache.
        uncached = await exchange(stream, request[:30], request[30:])
    assert first == second == third == uncached
    assert first[0] == b"HTTP/1.1 200 "
    assert (b"access-control-allow-origin" in first[1]) is (b"Origin" in extra)


async def test_a_response_is_never_stale():
    """Its body is created for each request."""
    view = session_view()
    application = FakeApplication(sessions=[view])
    async with serving(application), raw_client.connected(application.port) as stream:
        for checks in (1, 2, 3):
            application.sessions[:] = [replace(view, total_checks=checks)]
            assert b'"total_checks":%d,' % checks in (await exchange(stream, ASK + b"\r\n"))[2]


async def test_requests_without_the_token_are_rejected():
    """Also after a cached response to another client."""
    application = FakeApplication(settings=web_settings(token=SecretStr("secret")), sessions=[session_view()])
    async with serving(application), raw_client.connected(application.port) as stream:
        for _ in range(3):
            accepted = await exchange(stream, ASK + b"Authorization: Bearer secret\r\n\r\n")
            assert accepted[0] == b"HTTP/1.1 200 "
            assert (await exchange(stream, ASK + b"\r\n"))[0] == b"HTTP/1.1 401 "
            refused = await exchange(stream, ASK + b"Authorization: Bearer secreT\r\n\r\n")
            assert refused[0] == b"HTTP/1.1 401 "


async def test_connection_close_is_honored():
    """From the app and from the cache."""
    application = FakeApplication(sessions=[session_view()])
    async with serving(application):
        for _ in range(3):
            async with raw_client.connected(application.port) as stream:
                await stream.send_all(ASK + b"Connection: close\r\n\r\n")
                assert b"200" in await raw_client.read_all(stream)


async def test_bytes_inside_of_another_request_do_not_match():
    """The boundaries of packets have no meaning."""
    application = FakeApplication(sessions=[session_view()])
    async with serving(application), raw_client.connected(application.port) as stream:
        request = ASK + b"\r\n"
        await exchange(stream, request)
        await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
        await trio.sleep(0.05)
        await stream.send_all(request)
        assert (await raw_client.read_all(stream)).startswith(b"HTTP/1.1 400 ")
