"""The plugin example in a running botvisor, as its user would try it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio
from trio_websocket import open_websocket_url

from .application import TIME_LIMIT, open_application

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"
PYTHONPATH = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLE)])}
"""As if the example were installed."""
PLUGIN = ('plugins.modules=["greetings"]', "greetings.template=Good day, {name}.")
SETTINGS = ("sessions.autostart=false", "sessions.engine=http", *PLUGIN)


def command(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a botvisor command on the instance of this data directory."""
    options = [f"--data-dir={data_dir}", *(f"--set={setting}" for setting in PLUGIN)]
    return subprocess.run(
        [sys.executable, "-m", "web", *arguments, *options],
        env=os.environ | PYTHONPATH,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


async def test_everything_that_the_example_adds_is_there(tmp_path: Path) -> None:
    """Settings, actor, task handler, table, route, WebSocket message, metric, invariant and command."""
    data_dir = tmp_path / "data"
    async with open_application(data_dir, *SETTINGS, environment=PYTHONPATH) as application:
        url = application.instance.web_url
        live = url.replace("http", "ws", 1) + "/ws?topics=plugins"
        async with httpx.AsyncClient(base_url=url, timeout=10) as http, open_websocket_url(live) as socket:
            task = (await http.post("/api/tasks", json={"type": "greet", "data": {"name": "Ada"}})).json()
            with trio.fail_after(TIME_LIMIT):
                while (message := json.loads(await socket.get_message()))["type"] != "greeted":
                    pass
                assert message["data"]["text"] == "Good day, Ada."
                while (done := (await http.get(f"/api/tasks/{task['id']}")).json())["state"] != "completed":
                    await trio.sleep(0.05)
            assert done["result"] == {"text": "Good day, Ada."}
            (greeting,) = (await http.get("/api/greetings")).json()["greetings"]
            assert greeting["name"] == "Ada"
            assert "greetings_recent 1.0" in (await http.get("/metrics")).text
            assert "/api/greetings" in (await http.get("/openapi.json")).json()["paths"]
        tree = (await application.get("/api/supervisor/status")).json()["tree"]
        assert [branch["id"] for branch in tree["children"]][-2:] == ["greetings", "web"]
        listed = await trio.to_thread.run_sync(lambda: command(data_dir, "greetings", "list"))
        assert (listed.returncode, listed.stdout) == (0, "Good day, Ada.\n"), listed.stderr
        verified = await trio.to_thread.run_sync(lambda: command(data_dir, "verify", "--json"))
        assert verified.returncode == 0, verified.stdout
        names = [check["name"] for check in json.loads(verified.stdout)["checks"]]
        assert "each greeting greets by name" in names


async def test_a_task_that_the_handler_rejects_is_not_tried_again(tmp_path: Path) -> None:
    """A greeting without a name is a permanent failure."""
    async with (
        open_application(tmp_path / "data", *SETTINGS, environment=PYTHONPATH) as application,
        httpx.AsyncClient(base_url=application.instance.web_url, timeout=10) as http,
    ):
        task = (await http.post("/api/tasks", json={"type": "greet"})).json()
        with trio.fail_after(TIME_LIMIT):
            while (done := (await http.get(f"/api/tasks/{task['id']}")).json())["finished_at"] is None:
                await trio.sleep(0.05)
        assert (done["attempts"], done["error"]) == (1, "PermanentFailure: name must not be empty")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (['plugins.modules=["no_such_module"]'], "no_such_module cannot be imported"),
        (['plugins.modules=["json"]'], "json has no CAPABILITY"),
        (['plugins.modules=["greetings", "greetings"]'], "two capabilities have the name greetings"),
        (['plugins.modules=["greetings"]', "greetings.templat=x"], "did you mean greetings.template?"),
        (["greetings.template=x"], "unknown key greetings.template"),
    ],
)
def test_a_wrong_plugin_is_one_sentence(tmp_path: Path, settings: list[str], sentence: str) -> None:
    """Exit code 2 before anything starts."""
    arguments = [f"--set={setting}" for setting in settings]
    done = subprocess.run(
        [sys.executable, "-m", "web", "up", f"--data-dir={tmp_path / 'data'}", *arguments],
        env=os.environ | PYTHONPATH,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr.splitlines()[-1]
