from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from pydantic import SecretStr

from runtime import AskTimeout
from web.server.response_cache import LONGEST_HEAD, MOST_HEADS, ResponseCache

from .. import wire
from ..parts.application import House, living
from ..parts.views import session_view, web_settings

ASK = b"GET /api/bot/status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"99"), (b"x-after", b"1")]


class Memory:
    """What a body is made of."""

    def __init__(self):
        self.content = b"{}"
        self.asked = 0
        self.away = False

    async def body(self):
        self.asked += 1
        if self.away:
            raise AskTimeout("nobody is there")
        return self.content


def knowing(*heads):
    memory = Memory()
    shortcuts = ResponseCache({"/": memory.body})
    for head in heads:
        shortcuts.learn(head, "/", HEADERS)
    return shortcuts, memory


async def test_the_same_bytes_get_the_same_head_and_a_new_body():
    """The length is that of the body."""
    shortcuts, memory = knowing(b"GET\r\n\r\n")
    memory.content = b'{"n":1}'
    assert await shortcuts.answer(b"GET\r\n\r\n", [(b"date", b"now")]) == (
        b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 7\r\nx-after: 1\r\ndate: now"
        b'\r\n\r\n{"n":1}'
    )


async def test_other_bytes_are_for_the_app():
    """A question is known only to the last byte, and nobody looks it up for another."""
    shortcuts, memory = knowing(b"GET\r\n\r\n")
    for head in (b"GET \r\n\r\n", b"get\r\n\r\n", b"GET\r\n\r\nGET\r\n\r\n", b""):
        assert await shortcuts.answer(head, []) is None
    assert memory.asked == 0


async def test_what_memory_cannot_say_is_for_the_app():
    """It knows how to say that somebody is away."""
    shortcuts, memory = knowing(b"GET\r\n\r\n")
    memory.away = True
    assert await shortcuts.answer(b"GET\r\n\r\n", []) is None


async def test_only_so_much_is_remembered():
    """Long heads are not, and the oldest is forgotten."""
    heads = [b"%d\r\n\r\n" % number for number in range(MOST_HEADS + 1)]
    long = b"x" * LONGEST_HEAD + b"\r\n\r\n"
    shortcuts, _ = knowing(*heads, long, b"half of a head\r\n")
    assert await shortcuts.answer(heads[0], []) is None
    assert await shortcuts.answer(heads[1], []) is not None
    assert await shortcuts.answer(long, []) is None
    assert await shortcuts.answer(b"half of a head\r\n", []) is None


# Through the server


async def exchange(stream, *pieces):
    for piece in pieces:
        await stream.send_all(piece)
        await trio.sleep(0.02)
    head = await wire.read_until(stream, b"\r\n\r\n")
    head, _, body = head.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    fields = {name.lower(): value for name, value in fields.items()}
    while len(body) < int(fields[b"content-length"]):
        body += await stream.receive_some()
    return head.split(b"\r\n")[0], {name: fields[name] for name in fields if name != b"date"}, body


@pytest.mark.parametrize(
    "extra", [b"", b"Origin: https://here.example\r\n", b"Connection: keep-alive\r\nX-Any: thing\r\n"]
)
async def test_both_ways_give_one_answer(extra):
    """Status, headers and body, also for a page of another site."""
    application = House(sessions=[session_view()])
    application.settings = web_settings(allowed_origins=("https://here.example",))
    async with living(application), wire.connected(application.port) as stream:
        question = ASK + extra + b"\r\n"
        first, second, third = [await exchange(stream, question) for _ in range(3)]
        # In two pieces it is none that is known.
        long_way = await exchange(stream, question[:30], question[30:])
    assert first == second == third == long_way
    assert first[0] == b"HTTP/1.1 200 "
    assert (b"access-control-allow-origin" in first[1]) is (b"Origin" in extra)


async def test_an_answer_is_never_old():
    """Each is made when it is asked for."""
    view = session_view()
    application = House(sessions=[view])
    async with living(application), wire.connected(application.port) as stream:
        for checks in (1, 2, 3):
            application.sessions[:] = [replace(view, total_checks=checks)]
            assert b'"total_checks":%d,' % checks in (await exchange(stream, ASK + b"\r\n"))[2]


async def test_who_may_not_ask_stays_out():
    """However often somebody else was answered."""
    application = House(settings=web_settings(token=SecretStr("secret")), sessions=[session_view()])
    async with living(application), wire.connected(application.port) as stream:
        for _ in range(3):
            told = await exchange(stream, ASK + b"Authorization: Bearer secret\r\n\r\n")
            assert told[0] == b"HTTP/1.1 200 "
            assert (await exchange(stream, ASK + b"\r\n"))[0] == b"HTTP/1.1 401 "
            refused = await exchange(stream, ASK + b"Authorization: Bearer secreT\r\n\r\n")
            assert refused[0] == b"HTTP/1.1 401 "


async def test_a_connection_that_is_to_end_ends():
    """Every time, and by whichever way."""
    application = House(sessions=[session_view()])
    async with living(application):
        for _ in range(3):
            async with wire.connected(application.port) as stream:
                await stream.send_all(ASK + b"Connection: close\r\n\r\n")
                assert b"200" in await wire.read_all(stream)


async def test_bytes_inside_of_another_request_are_no_question():
    """Where a packet ends says nothing."""
    application = House(sessions=[session_view()])
    async with living(application), wire.connected(application.port) as stream:
        question = ASK + b"\r\n"
        await exchange(stream, question)
        await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
        await trio.sleep(0.05)
        await stream.send_all(question)
        assert (await wire.read_all(stream)).startswith(b"HTTP/1.1 400 ")
