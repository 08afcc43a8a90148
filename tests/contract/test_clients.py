"""Real clients with the lines of the source documents: curl, Node, trio-websocket."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import trio
from trio_websocket import open_websocket_url

from ..conftest import missing
from ..system.application import TIME_LIMIT
from . import rest
from .shapes import check

# As in the documents; the test replaces the port.
CURL_LINES = {
    "curl http://localhost:8000/health": rest.HEALTH,
    "curl http://localhost:8000/health/detailed": rest.HEALTH_DETAILED,
    "curl http://localhost:8000/health/service/database": rest.ONE_SERVICE,
    "curl -X POST http://localhost:8000/health/force-check": rest.FORCED,
    "curl http://localhost:8000/api/bot/status": rest.BOT_STATUS,
    "curl http://localhost:8000/api/bot/system-status": rest.SYSTEM_STATUS,
    "curl http://localhost:8000/api/bot/tasks": rest.TASKS,
    "curl http://localhost:8000/api/bot/events/{session_id}": rest.EVENTS,
    "curl http://localhost:8000/api/bot/configuration": rest.CONFIGURATION,
    """curl -X PUT http://localhost:8000/api/bot/configuration \\
  -H "Content-Type: application/json" \\
  -d '{
    "check_interval_seconds": 0.5,
    "max_accept_per_run": 5,
    "job_type_filter": "Telephone interpreting"
  }'""": rest.CONFIGURATION,
    "curl -X POST http://localhost:8000/api/bot/toggle": {"status": "str", "running": "bool"},
    """curl -X POST http://localhost:8000/api/bot/start \\
  -H "Content-Type: application/json" \\
  -d '{"session_name": "Redis Bot Test"}'""": rest.BOT_SESSION,
}

SNIPPET = """
const ws = new WebSocket('ws://localhost:8000/ws');

ws.onmessage = function(event) {
    const data = JSON.parse(event.data);
    console.log('Received:', data.type, data.data);
};
"""
# Keeps Node running until the messages are received.
UNTIL_RECEIVED = """
const seen = new Set();
ws.addEventListener('message', (event) => {
    seen.add(JSON.parse(event.data).type);
    if (['status_update', 'cycle_complete', 'job_accepted'].every((type) => seen.has(type))) process.exit(0);
});
"""


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(f"{name} was not found on PATH")
    return found


@pytest.mark.parametrize("line", CURL_LINES)
def test_curl(application, client, line) -> None:
    """Every documented line has its documented response."""
    tool("curl")
    session = client.get("/api/bot/status").json()["session_id"]
    if line.startswith("curl -X POST http://localhost:8000/api/bot/start"):
        client.post("/api/bot/stop").raise_for_status()
    port = application.instance.web_url.rpartition(":")[2]
    typed = line.replace("\\\n", " ").replace(":8000", f":{port}").replace("{session_id}", str(session))
    answer = subprocess.run(
        [*shlex.split(typed), "--silent", "--show-error", "--max-time", "30"],
        capture_output=True,
        check=True,
        timeout=TIME_LIMIT,
    )
    check(json.loads(answer.stdout), CURL_LINES[line])


def test_the_javascript_of_the_documents(application, client, tmp_path: Path) -> None:
    """The unchanged snippet runs in Node."""
    node = tool("node")
    port = application.instance.web_url.rpartition(":")[2]
    script = tmp_path / "client.js"
    script.write_text((SNIPPET + UNTIL_RECEIVED).replace(":8000", f":{port}"))
    version = subprocess.run(
        [node, "--version"], capture_output=True, check=True, text=True, timeout=TIME_LIMIT
    )
    flags = ["--experimental-websocket"] if int(version.stdout[1:].partition(".")[0]) < 22 else []
    answer = subprocess.run(
        [node, *flags, str(script)], capture_output=True, check=False, text=True, timeout=TIME_LIMIT
    )
    assert answer.returncode == 0, answer.stderr
    assert "Received: connection_established {" in answer.stdout
    assert "Received: job_accepted {" in answer.stdout


async def test_a_client_that_reconnects(application, client) -> None:
    """With its position it receives what it missed, each message once."""
    url = application.instance.web_url.replace("http", "ws", 1) + "/ws"
    with trio.fail_after(TIME_LIMIT):
        messages = []
        async with open_websocket_url(url) as socket:
            while len(messages) < 10:
                messages.append(json.loads(await socket.get_message()))
        last = messages[-1]
        async with open_websocket_url(f"{url}?since={last['epoch']}:{last['seq']}") as socket:
            hello = json.loads(await socket.get_message())
            assert (hello["type"], hello["data"]["resumed"], hello["data"]["gap"]) == (
                "connection_established",
                True,
                False,
            )
            following = [json.loads(await socket.get_message())["seq"] for _ in range(10)]
        assert following == list(range(last["seq"] + 1, last["seq"] + 11))
        async with open_websocket_url(f"{url}?since=another:7") as socket:
            hello = json.loads(await socket.get_message())
            assert (hello["data"]["resumed"], hello["data"]["gap"]) == (False, True)
            assert json.loads(await socket.get_message())["type"] == "status_update"
