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

from ...builders import NOON, job_processed, session_view, web_settings
from .. import raw_client
from ..fakes.actors import Fail
from ..fakes.application import FakeApplication, client, serving


async def test_a_client_gets_messages_in_order():
    """Greeting, snapshot, then events with consecutive numbers."""
    application = FakeApplication(sessions=[session_view()])
    async with serving(application), raw_client.websocket(application.port) as socket:
        hello, snapshot = await raw_client.received(socket), await raw_client.received(socket)
        application.bus.publish(job_processed())
        frames = [await raw_client.received(socket) for _ in range(3)]
    assert [hello["type"], snapshot["type"]] == ["connection_established", "status_update"]
    assert snapshot["data"]["bot_status"]["is_running"]
    assert all(frame.keys() == {"type", "data", "timestamp", "epoch", "seq"} for frame in [hello, *frames])
    assert {frame["epoch"] for frame in frames} == {hello["epoch"]}
    assert frames[1]["seq"] == frames[0]["seq"] + 1


async def test_a_command_is_published():
    """A session started over REST is in the next status."""
    application = FakeApplication()
    async with (
        serving(application),
        raw_client.websocket(application.port) as socket,
        client(application) as http,
    ):
        assert (await http.post("/api/bot/start", json={"session_name": "Night"})).status_code == 200
        while (await next_status(socket))["session_name"] != "Night":
            pass


async def next_status(socket):
    while (frame := await raw_client.received(socket))["type"] != "status_update":
        pass
    return frame["data"]["bot_status"]


async def test_a_failed_child_is_published():
    """``supervisor_event`` has path, state and error."""
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        application.mirror.tell_nowait(Fail(reason="power cut"))
        while (frame := await raw_client.received(socket))["type"] != "supervisor_event":
            pass
    assert frame["data"]["path"] == "botvisor/mirror/redis_sync"
    assert (frame["data"]["state"], frame["data"]["error"]) == ("backoff", "power cut")


async def test_a_reconnecting_client_misses_nothing():
    """The frames after its position follow."""
    application = FakeApplication()
    async with serving(application):
        async with raw_client.websocket(application.port) as socket:
            hello = await raw_client.received(socket)
            await raw_client.received(socket)
        for _ in range(5):
            application.bus.publish(ChildStarted(path="a/b", restarts=1))
        position = f"?since={hello['epoch']}:{hello['seq']}"
        async with raw_client.websocket(application.port, query=position) as socket:
            frames = [await raw_client.received(socket) for _ in range(6)]
    assert (frames[0]["type"], frames[0]["data"]["resumed"]) == ("connection_established", True)
    assert [frame["seq"] for frame in frames] == [hello["seq"] + number for number in range(6)]


async def test_a_slow_client_gets_a_snapshot():
    """After the frames that were sent already, and without the backlog."""
    view = session_view()
    application = FakeApplication(sessions=[view])
    async with serving(application), raw_client.connected(application.port, receive_buffer=4096) as stream:
        await raw_client.upgraded(stream)
        for number in range(4000):
            application.bus.publish(job_processed(job_ref=f"{number}" + "x" * 3000))
            if number % 20 == 0:
                await trio.lowlevel.checkpoint()
        last = replace(view, total_checks=4711)
        application.bus.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=last))
        await trio.testing.wait_all_tasks_blocked()  # the socket buffers are full
        content = await raw_client.read_until(stream, b'"missed":', seconds=20)
        if b'"total_checks":4711' not in content:
            content += await raw_client.read_until(stream, b'"total_checks":4711', seconds=20)
    before = content[: content.index(b'"missed":')]
    assert before[before.rindex(b'{"type":') :].startswith(b'{"type":"status_update"')
    assert content.count(b'"job_processed"') < 4000


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ('{"type": "ping"}', {}),
        ("hello", {"message": 'A message must be a JSON object with a string "type".'}),
        ("", {"message": 'A message must be a JSON object with a string "type".'}),
        ("[]", {"message": 'A message must be a JSON object with a string "type".'}),
        ('{"type": 1}', {"message": 'A message must be a JSON object with a string "type".'}),
        ("[" * 50_000, {"message": 'A message must be a JSON object with a string "type".'}),
        ('{"type": "dance"}', {"message": "Unknown message type 'dance'."}),
    ],
)
async def test_a_message_has_a_reply(message, answer):
    """A pong or an error; the connection stays open."""
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        for _ in range(2):
            await socket.send_message(message)
            while (frame := await raw_client.received(socket))["type"] not in ("pong", "error"):
                pass
            assert frame["data"] == answer


@pytest.mark.parametrize("message", [b"\0\1", b""])
async def test_binary_is_refused_with_1003(message):
    """Only text messages are supported."""
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        await socket.send_message(message)
        assert (await raw_client.closed(socket))[0] == 1003


async def test_one_client_too_many_is_refused_before_the_handshake():
    """503 with a problem, until another client leaves."""
    application = FakeApplication(settings=web_settings(max_clients=1))
    async with serving(application):
        async with raw_client.websocket(application.port):
            with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
                async with raw_client.websocket(application.port):
                    pass
            (rejection,) = refused.value.exceptions
            assert rejection.status_code == 503
            assert json.loads(rejection.body)["code"] == "too_many_clients"
        with trio.fail_after(5):
            while True:
                try:
                    async with raw_client.websocket(application.port) as socket:
                        await raw_client.received(socket)
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
async def test_an_invalid_query_is_refused(query):
    """Before the handshake, with a problem."""
    application = FakeApplication()
    async with serving(application):
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
            async with raw_client.websocket(application.port, query=f"?{query}"):
                pass
        (rejection,) = refused.value.exceptions
        assert rejection.status_code == 422
        assert json.loads(rejection.body)["code"] == "invalid_value"


async def test_a_client_subscribes_in_its_query():
    """To topics and sessions, and gets no others."""
    application = FakeApplication()
    mine = job_processed()
    query = f"?topics=jobs,tree&session={mine.session_id}"
    async with serving(application), raw_client.websocket(application.port, query=query) as socket:
        hello = await raw_client.received(socket)
        assert hello["data"]["topics"] == ["jobs", "tree"]
        assert hello["data"]["sessions"] == [str(mine.session_id)]
        assert (await raw_client.received(socket))["type"] == "status_update"
        application.bus.publish(job_processed())
        application.bus.publish(mine)
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        frames = [await raw_client.received(socket) for _ in range(3)]
    assert [frame["type"] for frame in frames] == ["job_processed", "job_accepted", "supervisor_event"]
    assert {frame["data"]["session_id"] for frame in frames[:2]} == {str(mine.session_id)}


async def test_a_client_changes_its_subscription():
    """It gets its new subscription, then a snapshot."""
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
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        for message, topics, sessions in steps:
            await socket.send_message(json.dumps(message))
            assert (await next_of(socket, "subscribed"))["data"] == {"topics": topics, "sessions": sessions}
            await next_of(socket, "status_update")
        application.bus.publish(job_processed())
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        while (frame := await raw_client.received(socket))["type"] != "supervisor_event":
            assert frame["type"] != "job_processed"


async def next_of(socket, kind):
    while (frame := await raw_client.received(socket))["type"] != kind:
        pass
    return frame


@pytest.mark.parametrize(
    "subscription",
    [
        {"topics": ["weather"]},
        {"topics": "jobs"},
        {"topics": {"jobs": True}},
        {"sessions": ["one"]},
        {"sessions": [7]},
        {"sessions": [str(UUID(int=n)) for n in range(101)]},
    ],
)
async def test_an_invalid_subscription_is_an_error(subscription):
    """The subscription stays unchanged."""
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        await socket.send_message(json.dumps({"type": "subscribe", **subscription}))
        assert "must" in (await next_of(socket, "error"))["data"]["message"]
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        await next_of(socket, "supervisor_event")


async def test_clients_reconnect_after_the_hub_failed():
    """They are closed with 1012; the new hub has a new epoch, which is a gap."""
    application = FakeApplication()
    with application.bus.subscribe(ChildFailed, ChildStarted) as children:
        async with serving(application), raw_client.websocket(application.port) as socket:
            hello = await raw_client.received(socket)
            # An event that cannot be translated.
            application.bus.publish(
                ChildFailed(path="a/b", error=UntranslatableError(), dependency_unavailable=False, delay=None)
            )
            assert (await raw_client.closed(socket))[0] == 1012
            with trio.fail_after(5):
                while (await next_event(children, ChildStarted)).path != "botvisor/web/hub":
                    pass
            again = f"?since={hello['epoch']}:{hello['seq']}"
            async with raw_client.websocket(application.port, query=again) as second:
                greeting = await raw_client.received(second)
    assert greeting["epoch"] != hello["epoch"]
    assert greeting["data"]["gap"]


class UntranslatableError(Exception):
    def __str__(self):
        raise RuntimeError("this error cannot be shown")
