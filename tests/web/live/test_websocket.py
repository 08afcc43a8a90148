from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
import trio
import trio.lowlevel
import trio.testing
from trio_websocket import ConnectionRejected

from actors.sessions.events import SessionChanged
from runtime import ChildFailed, ChildStarted
from runtime.testing import next_event
from web.live.topics import Topic

from .. import wire
from ..parts.actors import Break
from ..parts.application import House, client, living
from ..parts.views import NOON, job_processed, session_view, web_settings


async def test_a_client_sees_what_happens_in_order():
    """Greeting, snapshot, then events with numbers that rise by one."""
    application = House(sessions=[session_view()])
    async with living(application), wire.websocket(application.port) as socket:
        hello, snapshot = await wire.received(socket), await wire.received(socket)
        application.bus.publish(job_processed())
        frames = [await wire.received(socket) for _ in range(3)]
    assert [hello["type"], snapshot["type"]] == ["connection_established", "status_update"]
    assert snapshot["data"]["bot_status"]["is_running"]
    assert all(frame.keys() == {"type", "data", "timestamp", "epoch", "seq"} for frame in [hello, *frames])
    assert {frame["epoch"] for frame in frames} == {hello["epoch"]}
    assert frames[1]["seq"] == frames[0]["seq"] + 1


async def test_a_command_is_seen_by_every_client():
    """What REST started, the WebSocket shows."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket, client(application) as http:
        assert (await http.post("/api/bot/start", json={"session_name": "Night"})).status_code == 200
        while (await next_status(socket))["session_name"] != "Night":
            pass


async def next_status(socket):
    while (frame := await wire.received(socket))["type"] != "status_update":
        pass
    return frame["data"]["bot_status"]


async def test_a_failing_child_is_seen_by_every_client():
    """supervisor_event has path, state and error."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        application.mirror.tell_nowait(Break(reason="power cut"))
        while (frame := await wire.received(socket))["type"] != "supervisor_event":
            pass
    assert frame["data"]["path"] == "botvisor/mirror/redis_sync"
    assert (frame["data"]["state"], frame["data"]["error"]) == ("backoff", "power cut")


async def test_a_client_that_comes_back_misses_nothing():
    """It says where it was, and the numbers go on from there."""
    application = House()
    async with living(application):
        async with wire.websocket(application.port) as socket:
            hello = await wire.received(socket)
            await wire.received(socket)
        for _ in range(5):
            application.bus.publish(ChildStarted(path="a/b", restarts=1))
        position = f"?since={hello['epoch']}:{hello['seq']}"
        async with wire.websocket(application.port, query=position) as socket:
            frames = [await wire.received(socket) for _ in range(6)]
    assert (frames[0]["type"], frames[0]["data"]["resumed"]) == ("connection_established", True)
    assert [frame["seq"] for frame in frames] == [hello["seq"] + number for number in range(6)]


async def test_a_slow_client_is_brought_up_to_date():
    """It gets the beginning of what waited in the network, then a snapshot, and no backlog."""
    view = session_view()
    application = House(sessions=[view])
    async with living(application), wire.connected(application.port, receive_buffer=4096) as stream:
        await wire.upgraded(stream)
        for number in range(4000):
            application.bus.publish(job_processed(job_ref=f"{number}" + "x" * 3000))
            if number % 20 == 0:
                await trio.lowlevel.checkpoint()
        last = replace(view, total_checks=4711)
        application.bus.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=last))
        await trio.testing.wait_all_tasks_blocked()  # the network has taken what it can
        content = await wire.read_until(stream, b'"missed":', seconds=20)
        if b'"total_checks":4711' not in content:
            content += await wire.read_until(stream, b'"total_checks":4711', seconds=20)
    before = content[: content.index(b'"missed":')]
    assert before[before.rindex(b'{"type":') :].startswith(b'{"type":"status_update"')
    assert content.count(b'"job_processed"') < 4000


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ('{"type": "ping"}', {}),
        ("hello", {"message": 'a message must be a JSON object with a text as "type"'}),
        ("", {"message": 'a message must be a JSON object with a text as "type"'}),
        ("[]", {"message": 'a message must be a JSON object with a text as "type"'}),
        ('{"type": 1}', {"message": 'a message must be a JSON object with a text as "type"'}),
        ("[" * 50_000, {"message": 'a message must be a JSON object with a text as "type"'}),
        ('{"type": "dance"}', {"message": "messages of type 'dance' are not known here"}),
    ],
)
async def test_a_message_is_answered(message, answer):
    """A ping by a pong, anything else by an error; the connection goes on."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        for _ in range(2):
            await socket.send_message(message)
            while (frame := await wire.received(socket))["type"] not in ("pong", "error"):
                pass
            assert frame["data"] == answer


@pytest.mark.parametrize("message", [b"\0\1", b""])
async def test_binary_is_refused_with_1003(message):
    """Only text is understood."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        await socket.send_message(message)
        assert (await wire.closed(socket))[0] == 1003


async def test_one_client_too_many_is_refused_before_the_handshake():
    """503 with a problem; when somebody left there is room."""
    application = House(settings=web_settings(max_clients=1))
    async with living(application):
        async with wire.websocket(application.port):
            with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
                async with wire.websocket(application.port):
                    pass
            (rejection,) = refused.value.exceptions
            assert rejection.status_code == 503
            assert json.loads(rejection.body)["code"] == "too_many_clients"
        with trio.fail_after(5):
            while True:
                try:
                    async with wire.websocket(application.port) as socket:
                        await wire.received(socket)
                        break
                except* ConnectionRejected:
                    await trio.sleep(0.05)


@pytest.mark.parametrize(
    "query",
    [
        "since=e:x",
        "since=e:-1",
        "since=e:",
        "since=e",
        "since=:1",
        "since=e:" + "9" * 30,
        "topics=weather",
        "topics=jobs,weather",
        "session=one",
        "session=" + ",".join(str(UUID(int=n)) for n in range(101)),
    ],
)
async def test_a_query_that_says_nothing_is_refused(query):
    """Before the handshake, with a problem."""
    application = House()
    async with living(application):
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
            async with wire.websocket(application.port, query=f"?{query}"):
                pass
        (rejection,) = refused.value.exceptions
        assert rejection.status_code == 422
        assert json.loads(rejection.body)["code"] == "invalid_value"


async def test_a_client_chooses_by_its_address():
    """Topics and sessions; of others it hears nothing."""
    application = House()
    mine = job_processed()
    query = f"?topics=jobs,tree&session={mine.session_id}"
    async with living(application), wire.websocket(application.port, query=query) as socket:
        hello = await wire.received(socket)
        assert hello["data"]["topics"] == ["jobs", "tree"]
        assert hello["data"]["sessions"] == [str(mine.session_id)]
        assert (await wire.received(socket))["type"] == "status_update"
        application.bus.publish(job_processed())
        application.bus.publish(mine)
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        told = [await wire.received(socket) for _ in range(3)]
    assert [frame["type"] for frame in told] == ["job_processed", "job_accepted", "supervisor_event"]
    assert {frame["data"]["session_id"] for frame in told[:2]} == {str(mine.session_id)}


async def test_a_client_changes_its_mind():
    """It is told what it is subscribed to now, and then how that stands."""
    session = UUID(int=7)
    steps = [
        ({"type": "subscribe", "topics": ["jobs"]}, ["jobs"], None),
        (
            {"type": "subscribe", "topics": ["tree"], "sessions": [str(session)]},
            ["jobs", "tree"],
            [str(session)],
        ),
        ({"type": "unsubscribe", "topics": ["tree"]}, ["jobs"], [str(session)]),
        ({"type": "unsubscribe", "sessions": [str(session)]}, ["jobs"], []),
        ({"type": "subscribe"}, sorted(Topic), None),
        ({"type": "unsubscribe", "topics": ["jobs"]}, sorted(set(Topic) - {Topic.JOBS}), None),
    ]
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        for message, topics, sessions in steps:
            await socket.send_message(json.dumps(message))
            assert (await next_of(socket, "subscribed"))["data"] == {"topics": topics, "sessions": sessions}
            await next_of(socket, "status_update")
        application.bus.publish(job_processed())
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        while (frame := await wire.received(socket))["type"] != "supervisor_event":
            assert frame["type"] != "job_processed"


async def next_of(socket, kind):
    while (frame := await wire.received(socket))["type"] != kind:
        pass
    return frame


@pytest.mark.parametrize(
    "wish",
    [
        {"topics": ["weather"]},
        {"topics": "jobs"},
        {"topics": {"jobs": True}},
        {"sessions": ["one"]},
        {"sessions": [7]},
        {"sessions": [str(UUID(int=n)) for n in range(101)]},
    ],
)
async def test_a_wish_that_cannot_be_is_an_error(wish):
    """In one sentence; what the client was subscribed to stays."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        await socket.send_message(json.dumps({"type": "subscribe", **wish}))
        assert "must" in (await next_of(socket, "error"))["data"]["message"]
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        await next_of(socket, "supervisor_event")


async def test_clients_come_back_after_the_hub_failed():
    """They hear 1012, and the new hub greets them with a new epoch and the word of a gap."""
    application = House()
    with application.bus.subscribe(ChildFailed, ChildStarted) as children:
        async with living(application), wire.websocket(application.port) as socket:
            hello = await wire.received(socket)
            # Poison: an event that cannot be told.
            application.bus.publish(ChildFailed(path="a/b", error=Unspeakable(), absence=False, delay=None))
            assert (await wire.closed(socket))[0] == 1012
            with trio.fail_after(5):
                while (await next_event(children, ChildStarted)).path != "botvisor/web/hub":
                    pass
            again = f"?since={hello['epoch']}:{hello['seq']}"
            async with wire.websocket(application.port, query=again) as second:
                greeting = await wire.received(second)
    assert greeting["epoch"] != hello["epoch"]
    assert greeting["data"]["gap"]


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("this error cannot be shown")
