"""The command line as its users meet it: a process of its own, its exit code, its two streams."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio
from rich.console import Console
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from actors.services import Instance, PostgresServer, ValkeyServer, open_data_dir, write_instance
from runtime import Address
from runtime.testing import run_actor
from web.cli.output import plain, span
from web.cli.snapshot import Mailbox, Node
from web.cli.tree import drawn

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"

TREE = {
    "id": "botvisor",
    "path": "botvisor",
    "kind": "supervisor",
    "state": "running",
    "restarts": 0,
    "last_error": None,
    "uptime_seconds": 3725.4,
    "mailbox": None,
    "backoff_until": None,
    "detail": {},
    "children": [
        {
            "id": "db_writer",
            "path": "botvisor/records/db_writer",
            "kind": "worker",
            "state": "backoff",
            "restarts": 3,
            "last_error": "connection\nrefused \x1b[31m[bold]",
            "uptime_seconds": None,
            "mailbox": {"depth": 7, "capacity": 1000, "high_water": 9},
            "backoff_until": "2030-01-01T00:00:00Z",
            "detail": {"engine": "browser"},
            "children": [],
        }
    ],
}
BOT = {
    "is_running": True,
    "session_id": "1",
    "session_name": "Session_1",
    "status": "running",
    "login_status": "success",
    "total_checks": 12,
    "total_accepted": 3,
    "total_rejected": 2,
}
ANSWERS: Mapping[str, object] = {
    "/api/supervisor/status": {"tree": TREE, "timestamp": "2030-01-01T00:00:00Z"},
    "/api/bot/status": BOT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of ours is configured."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


def written(home: Mapping[str, str], text: str) -> Path:
    path = Path(home["HOME"], "own.toml")
    path.write_text(text)
    return path


async def botvisor(home: Mapping[str, str], *arguments: str) -> Ended:
    with trio.fail_after(60):
        ended = await trio.run_process(
            [sys.executable, "-m", "web", *arguments],
            env=home,
            cwd=home["HOME"],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    result = Ended(code=ended.returncode, out=ended.stdout.decode(), err=ended.stderr.decode())
    assert "Traceback" not in result.err
    return result


@contextmanager
def site(answers: Mapping[str, object], token: str = "") -> Iterator[str]:
    """A web server that gives these answers, and 401 to whoever does not show the token."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = answers.get(self.path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            refused = token and self.headers["Authorization"] != f"Bearer {token}"
            self.send_response(401 if refused else 404 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with taken_port() as port:
        return port


# The command itself


async def test_help_names_every_command(home: dict[str, str]):
    """--help tells what there is, without colour in a pipe."""
    ended = await botvisor(home, "--help")
    assert ended.code == 0
    for command in ("up", "check", "tree", "status", "watch", "tasks", "verify"):
        assert re.search(rf"\b{command}\b", ended.out)
    assert "\x1b" not in ended.out


async def test_version_is_one_line(home: dict[str, str]):
    """--version tells it and does nothing else."""
    ended = await botvisor(home, "--version")
    assert ended.code == 0
    assert re.fullmatch(r"botvisor .+\n", ended.out)


async def test_an_unknown_option_is_a_usage_error(home: dict[str, str]):
    """A wrong command line ends with 2, on standard error."""
    ended = await botvisor(home, "tree", "--colour")
    assert (ended.code, ended.out) == (2, "")


# Configuration


@pytest.mark.parametrize("command", ["up", "check", "tree", "status", "watch", "verify"])
async def test_every_command_refuses_a_wrong_configuration(home: dict[str, str], command: str):
    """One sentence on standard error, exit code 2."""
    ended = await botvisor(home, command, "--set", "web.prot=1")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "botvisor: --set: unknown key web.prot; did you mean web.port?\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web\n", "line 1, column 5: not TOML: "),
        ("[web]\nport = 'x'\n", 'web.port = "x", expected a whole number from 0 to 65535'),
        ("[redis]\nulr = 'x'\n", "unknown key redis.ulr; did you mean redis.url?"),
        (
            f"[database]\nurl = 'mysql://u:{SECRET}@h'\n",
            'database.url = "mysql://u:***@h", expected "embedded" or',
        ),
    ],
)
async def test_up_refuses_a_wrong_file(home: dict[str, str], text: str, sentence: str):
    """The sentence names the file and what is wrong in it, and shows no secret."""
    file = written(home, text)
    ended = await botvisor(home, "up", "--config", str(file))
    assert ended.code == 2
    assert ended.err.startswith(f"botvisor: {file}: {sentence}")
    assert ended.err.count("\n") == 1
    assert SECRET not in ended.err


async def test_the_environment_is_read(home: dict[str, str]):
    """The seeds' names and ours count for every command."""
    ended = await botvisor(home | {"API_PORT": "high"}, "status")
    assert ended.err == 'botvisor: API_PORT: web.port = "high", expected a whole number from 0 to 65535\n'
    assert ended.code == 2


async def test_a_home_that_is_not_there_is_told(home: dict[str, str]):
    """A data directory below an unknown home directory is a wrong setting."""
    ended = await botvisor(home, "check", "--data-dir", "~nobody-of-that-name/x")
    assert ended.code == 2
    assert ended.err.startswith("botvisor: runtime.data_dir: cannot be found: ")


# No instance


@pytest.mark.parametrize("command", ["tree", "status", "watch"])
async def test_no_instance_is_one_sentence(home: dict[str, str], command: str):
    """Commands that look at an instance say where they looked, and end with 1."""
    port = free_port()
    ended = await botvisor(home, command, "--set", f"web.port={port}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"botvisor: botvisor is not running: nothing answers at http://127.0.0.1:{port}\n"


async def test_no_instance_and_no_port_is_one_sentence(home: dict[str, str]):
    """Without a fixed port only the data directory could tell."""
    ended = await botvisor(home, "tree", "--set", "web.port=0", "--data-dir", "here")
    assert ended.code == 1
    assert ended.err == f"botvisor: botvisor is not running on the data directory {home['HOME']}/here\n"


async def test_verify_needs_a_database(home: dict[str, str]):
    """The embedded one runs only with an instance; of another one it says why it cannot be asked."""
    ended = await botvisor(home, "verify")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "botvisor: the embedded PostgreSQL runs only while `botvisor up` does\n"
    ended = await botvisor(home, "verify", "--set", "database.url=postgresql://nobody@127.0.0.1:1/none")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("botvisor: PostgreSQL at 127.0.0.1:1 is away: ")


# tree and status


async def test_tree_in_a_pipe_is_plain_whole_lines(home: dict[str, str]):
    """One line for each actor, without colour, wrapping, or what could steer a terminal."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "tree", "--url", url)
    assert (ended.code, ended.err) == (0, "")
    root, child = ended.out.splitlines()
    assert root == "botvisor  running  up 1h 2m"
    assert child.startswith(
        "└── db_writer  backoff  restarts 3  mailbox 7/1000  engine=browser  starts again at "
    )
    assert child.endswith("  last error: connection refused \N{REPLACEMENT CHARACTER}[31m[bold]")


async def test_tree_as_json_is_what_the_instance_said(home: dict[str, str]):
    """--json is for programs: nothing is left out or made up."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "tree", "--json", "--url", f"{url}/")
    assert json.loads(ended.out) == ANSWERS["/api/supervisor/status"]


async def test_status_sums_up(home: dict[str, str]):
    """The bot, how many actors are well, and which are not."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "status", "--url", url)
        parsed = json.loads((await botvisor(home, "status", "--url", url, "--json")).out)
    assert ended.code == 0
    assert [line.split(maxsplit=1) for line in ended.out.splitlines()] == [
        ["instance", f"running at {url}, up 1h 2m"],
        ["session", "running Session_1, login success"],
        ["jobs", "12 checks, 3 accepted, 2 rejected"],
        ["actors", "1 running, 1 backoff; 3 restarts"],
        ["backoff", "botvisor/records/db_writer: connection refused \N{REPLACEMENT CHARACTER}[31m[bold]"],
    ]
    assert parsed == {
        "url": url,
        "bot": BOT,
        "supervisor": {"states": {"running": 1, "backoff": 1}, "restarts": 3},
    }


async def test_the_data_directory_tells_where_the_instance_is(home: dict[str, str]):
    """A running instance is found by its data directory, whatever its port."""
    path = Path(home["HOME"], "data")
    with site(ANSWERS) as url, open_data_dir(path) as data_dir:
        write_instance(data_dir, instance(web_url=url))
        ended = await botvisor(home, "status", "--data-dir", str(path))
    assert ended.code == 0
    assert url in ended.out


async def test_the_token_is_shown_to_the_instance(home: dict[str, str]):
    """The token of the settings goes along; a wrong one is told in one sentence."""
    with site(ANSWERS, token=SECRET) as url:
        right = await botvisor(home | {"BOTVISOR__WEB__TOKEN": SECRET}, "tree", "--url", url)
        wrong = await botvisor(home, "tree", "--url", url)
    assert right.code == 0
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {url} refuses the token: ")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "/api/supervisor/status answered 404: Not Found"),
        ({"/api/supervisor/status": b"<html>"}, "no JSON at /api/supervisor/status"),
        ({"/api/supervisor/status": {"tree": {}}}, "did not answer as botvisor would: tree."),
    ],
)
async def test_another_program_on_our_port_is_told(
    home: dict[str, str], answers: dict[str, object], sentence: str
):
    """Whatever else answers there is not taken for botvisor."""
    with site(answers) as url:
        ended = await botvisor(home, "tree", "--url", url)
    assert ended.code == 1
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


def test_a_terminal_gets_colour_by_state():
    """States are told apart at a glance, and text from elsewhere is never markup."""
    node = Node(
        id="[red]x",
        path="x",
        kind="worker",
        state="failed",
        restarts=1,
        mailbox=Mailbox(depth=5, capacity=5, high_water=5),
    )
    console = Console(force_terminal=True, color_system="standard", no_color=False, width=80)
    with console.capture() as captured:
        console.print(drawn(node))
    assert "[red]x" in captured.get()
    assert "\x1b[1;31mfailed" in captured.get()
    assert "\x1b[1;31m  mailbox 5/5" in captured.get()


def test_spans_are_told_in_two_units():
    """As people say them."""
    assert [span(s) for s in (0.4, 59, 60, 3_599, 3_600, 90_061)] == [
        "0s",
        "59s",
        "1m 0s",
        "59m 59s",
        "1h 0m",
        "1d 1h",
    ]


def test_text_from_elsewhere_stays_on_its_line():
    """No control character gets through."""
    assert plain("a\n b\t\x1b[2Jc\x00") == "a b \N{REPLACEMENT CHARACTER}[2Jc\N{REPLACEMENT CHARACTER}"


# watch


class Events:
    """A WebSocket server that sends one event on each connection and then does as told."""

    def __init__(self, *, code: int = 1001, token: str = "") -> None:
        self.connections = 0
        self.paths: list[str] = []
        self._code = code
        self._token = token

    async def handle(self, request: WebSocketRequest) -> None:
        if self._token and (b"authorization", f"Bearer {self._token}".encode()) not in request.headers:
            await request.reject(401)
            return
        socket = await request.accept()
        self.connections += 1
        self.paths.append(request.path)
        with suppress(ConnectionClosed):
            await socket.send_message(self._event())
            if self.connections > 1:
                await self._hold(socket)
            await socket.aclose(code=self._code)

    async def _hold(self, socket: WebSocketConnection) -> None:
        with trio.move_on_after(30):
            await socket.get_message()

    def _event(self) -> str:
        data = {"cycle": self.connections, "stats": {"total_checks": 4}, "message": "all well\n"}
        now = datetime.now(UTC).isoformat()
        event = {
            "type": "cycle_complete",
            "data": data,
            "timestamp": now,
            "epoch": "e",
            "seq": self.connections,
        }
        return json.dumps(event, indent=1)


@asynccontextmanager
async def serving(events: Events) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, events.handle, "127.0.0.1", 0, None))
        yield f"http://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def watching(home: Mapping[str, str], *arguments: str) -> AsyncIterator[trio.Process]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "web", "watch", *arguments],
        env=home,
        cwd=home["HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with trio.fail_after(60):
            yield process
    finally:
        with trio.move_on_after(10, shield=True):
            process.kill()
            await process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream
                await stream.aclose()


async def read_lines(stream: trio.abc.ReceiveStream | None, count: int) -> list[str]:
    assert stream is not None
    text = b""
    while text.count(b"\n") < count:
        chunk = await stream.receive_some()
        assert chunk, f"it ended after {text!r}"
        text += chunk
    return text.decode().splitlines()


async def read_all(stream: trio.abc.ReceiveStream | None) -> str:
    assert stream is not None
    return b"".join([chunk async for chunk in stream]).decode()


async def test_watch_as_json_is_one_line_for_each_event(home: dict[str, str]):
    """Each event is one line as it came, over as many connections as it takes; Ctrl-C ends it with 0."""
    events = Events()
    async with serving(events) as url, watching(home, "--json", "--url", url) as process:
        first, second = [json.loads(line) for line in await read_lines(process.stdout, 2)]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        said = await read_all(process.stderr)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert events.paths == ["/ws", "/ws?since=e%3A1"]
    assert first["data"]["message"] == "all well\n"
    assert said == "botvisor: the instance is stopping; trying again in 0.5 s\n"


async def test_watch_of_a_session_subscribes_to_it(home: dict[str, str]):
    """Also when it comes back, together with where it was."""
    events = Events()
    session = ["--session", "00000000-0000-0000-0000-000000000007"]
    async with serving(events) as url, watching(home, "--json", "--url", url, *session) as process:
        await read_lines(process.stdout, 2)
    query = "topics=sessions&topics=jobs&session=00000000-0000-0000-0000-000000000007"
    assert events.paths == [f"/ws?{query}", f"/ws?{query}&since=e%3A1"]


async def test_watch_is_readable_in_a_pipe(home: dict[str, str]):
    """Time, type and the data as key=value, on one line."""
    async with serving(Events()) as url, watching(home, "--url", url) as process:
        (line,) = await read_lines(process.stdout, 1)
    pattern = r'\d\d:\d\d:\d\d cycle_complete +cycle=1 stats\.total_checks=4 message="all well"'
    assert re.fullmatch(pattern, line)


async def test_watch_ends_with_its_reader(home: dict[str, str]):
    """Somebody who has seen enough (`| head`) gets no traceback."""
    async with serving(Events()) as url, watching(home, "--json", "--url", url) as process:
        await read_lines(process.stdout, 1)
        assert process.stdout
        await process.stdout.aclose()
        assert await process.wait() == 1
        assert "Traceback" not in await read_all(process.stderr)


async def test_watch_tells_a_refused_token(home: dict[str, str]):
    """A refused token is no reason to try again."""
    async with serving(Events(token=SECRET)) as url:
        wrong = await botvisor(home, "watch", "--url", url)
        async with watching(home | {"BOTVISOR__WEB__TOKEN": SECRET}, "--url", url) as process:
            await read_lines(process.stdout, 1)
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {url} refuses the token: ")


async def test_watch_of_another_program_is_told(home: dict[str, str]):
    """A web server without our WebSocket is not taken for botvisor."""
    with site({}) as url:
        ended = await botvisor(home, "watch", "--url", url)
    assert (ended.code, ended.err) == (1, f"botvisor: {url}/ws answered 404\n")


# check


def instance(**fields: str) -> Instance:
    known = {"web_url": "http://127.0.0.1:1", "database": "dbname=x", "redis": "redis://127.0.0.1:1"} | fields
    return Instance(
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        web_url=known["web_url"],
        practice_url=known.get("practice_url"),
        database=known["database"],
        redis=known["redis"],
    )


async def checked(home: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    ended = await botvisor(home, "check", "--json", *arguments)
    report = json.loads(ended.out)
    assert report["ok"] == (ended.code == 0)
    assert SECRET not in ended.out + ended.err
    return ended.code, {one["name"]: (one["state"], one["detail"]) for one in report["checks"]}


def free_ports() -> tuple[str, ...]:
    return ("--set", "web.port=0", "--set", "practice.port=0")


async def test_check_passes_where_nothing_is_configured(home: dict[str, str]):
    """What only `up` can start is waiting, and that is no failure; nothing is made."""
    path = Path(home["HOME"], "deep", "data")
    code, found = await checked(home, *free_ports(), "--data-dir", str(path))
    assert code == 0
    assert found["configuration"][0] == found["data directory"][0] == "ok"
    assert found["database"][0] == found["redis"][0] == found["portal"][0] == "waiting"
    assert not path.parent.exists()


async def test_check_is_a_table_for_people(home: dict[str, str]):
    """One line for each thing: its name, how it is, and what was found."""
    ended = await botvisor(home, "check", *free_ports())
    assert ended.code == 0
    assert ended.err == ""
    assert re.search(r"^database +waiting  embedded PostgreSQL", ended.out, re.MULTILINE)
    assert re.search(r"^web port +ok +a free one is taken$", ended.out, re.MULTILINE)


async def test_check_tells_every_failure(home: dict[str, str]):
    """One thing that fails does not hide the next; no password is shown."""
    file = written(home, "")
    with taken_port() as port, site({}) as portal:
        code, found = await checked(
            home | {"DATABASE_URL": f"postgresql+asyncpg://u:{SECRET}@127.0.0.1:{free_port()}/d"},
            *("--data-dir", str(file / "sub")),
            *("--set", f"redis.url=redis://:{SECRET}@127.0.0.1:{free_port()}/0"),
            *("--set", "browser.executable=/nowhere/chromium"),
            *("--set", f"web.port={port}"),
            *("--set", "practice.port=0"),
            *("--set", f"sessions.portal_url={portal}"),
        )
    assert code == 1
    assert {name: state for name, (state, _) in found.items() if state != "failed"} == {
        "configuration": "ok",
        "practice port": "ok",
    }
    assert "Not a directory" in found["data directory"][1]
    assert re.match(r"PostgreSQL at 127\.0\.0\.1:\d+ is away: Connection refused", found["database"][1])
    assert re.match(r"redis://:\*\*\*@127\.0\.0\.1:\d+/0: .*refused", found["redis"][1])
    assert found["chromium"][1] == "browser.executable is /nowhere/chromium, which cannot be run"
    assert found["web port"][1] == f"127.0.0.1:{port}: Address already in use"
    assert found["portal"][1] == f"{portal}/login answered 404"


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("DATABASE_URL", f"postgresql://u:p%{SECRET}@h/d", "database"),
        ("DATABASE_URL", "hots=h", "database"),
        ("REDIS_URL", "redis://h/0?db=x&socket_timeout=never", "redis"),
    ],
)
async def test_check_tells_an_address_that_no_driver_takes(
    home: dict[str, str], variable: str, value: str, name: str
):
    """The driver's own words could quote the password, so they are not repeated."""
    code, found = await checked(home | {variable: value}, *free_ports())
    assert code == 1
    assert found[name][0] == "failed"
    assert "is not one that" in found[name][1]


async def test_check_tells_a_portal_that_is_not_defined(home: dict[str, str]):
    """The sentence names the file that is missing."""
    code, found = await checked(home, *free_ports(), "--set", "sessions.portal=mine/own.toml")
    assert code == 1
    assert found["portal"] == ("failed", "mine/own.toml cannot be read: No such file or directory")


async def test_check_with_a_wrong_configuration_is_json_too(home: dict[str, str]):
    """A program gets its answer in its form, and the exit code of a wrong configuration."""
    ended = await botvisor(home, "check", "--json", "--set", "web.prot=1")
    assert ended.code == 2
    (only,) = json.loads(ended.out)["checks"]
    assert (only["name"], only["state"]) == ("configuration", "failed")
    assert "did you mean web.port?" in ended.err


async def test_check_connects_to_what_a_running_instance_runs(home: dict[str, str]):
    """While an instance runs, its embedded servers, its web server and its portal are asked for real."""
    path = Path(home["HOME"], "data")
    with open_data_dir(path) as data_dir, site(ANSWERS) as url, site({"/login": "here"}) as portal:
        postgres, valkey = PostgresServer(data_dir), ValkeyServer(data_dir)
        async with (
            run_actor(lambda: postgres, Address("postgres")),
            run_actor(lambda: valkey, Address("valkey")),
        ):
            running = instance(database=postgres.dsn, redis=valkey.url, web_url=url, practice_url=portal)
            write_instance(data_dir, running)
            code, found = await checked(home, "--data-dir", str(path))
    assert code == 0
    assert {state for state, _ in found.values()} == {"ok"}
    assert found["data directory"][1].endswith(f"in use by the instance with pid {os.getpid()}")
    assert found["database"][1].startswith("PostgreSQL 18.")
    assert found["redis"][1].startswith("Valkey 9.")
    assert found["web"][1] == f"answers at {url}; the bot is running"
    assert found["portal"][1] == f"practice answers at {portal}/login"
