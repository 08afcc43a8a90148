from __future__ import annotations

import json
import socket
import subprocess
import sys

import httpx
import pytest

from .portal_process import QUIET, ROOT, csrf, portal_process, portal_settings, sign_in


def failed_start(line: str) -> tuple[int, str]:
    """Run a portal that cannot start; return its exit code and its error output."""
    ended = subprocess.run(
        [sys.executable, "-m", "web.practice"],
        input=line,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_sigterm_stops_the_portal(tmp_path):
    """It exits with 0, also with an open connection."""
    with portal_process(tmp_path / "portal.sqlite") as portal, httpx.Client(base_url=portal.url) as client:
        assert client.get("/healthz").status_code == 200
        assert portal.stop() == 0


def test_a_client_that_stops_reading_does_not_delay_a_stop(tmp_path):
    """The portal drops the response and exits with 0 in time."""
    with portal_process(tmp_path / "portal.sqlite", initial_jobs=200) as portal:
        with httpx.Client(base_url=portal.url) as client:
            sign_in(client)
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        request = f"GET /jobs HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode()
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            url = httpx.URL(portal.url)
            stalled.connect((url.host, url.port))
            stalled.sendall(request * 40)
            assert stalled.recv(100)
            assert portal.stop() == 0


def test_the_portal_exits_with_its_parent(tmp_path):
    """It exits when the other end of stdin closes."""
    with portal_process(tmp_path / "portal.sqlite") as portal:
        assert portal.process.stdin is not None
        portal.process.stdin.close()
        assert portal.process.wait(timeout=10) == 0


def test_kill_9_loses_nothing(tmp_path):
    """Confirmed decisions and the login survive."""
    state = tmp_path / "portal.sqlite"
    refs = [f"AZ-{100_000 + n}" for n in range(1, 11)]
    with portal_process(state, initial_jobs=12) as portal, httpx.Client(base_url=portal.url) as client:
        sign_in(client)
        token = csrf(client.get("/jobs"))
        for ref in refs:
            assert client.post(f"/jobs/{ref}/accept", data={"csrf": token}).status_code == 303
        cookies = client.cookies
        portal.kill()
    with portal_process(state, initial_jobs=12) as portal, httpx.Client(base_url=portal.url) as client:
        client.cookies = cookies
        results = client.get("/results").text
        assert all(results.count(f'data-ref="{ref}"') == 1 for ref in refs)
        assert client.post(f"/jobs/{refs[0]}/accept", data={"csrf": token}).status_code == 303
        assert "2 open" in client.get("/jobs").text


def test_a_port_in_use_is_one_sentence(tmp_path):
    """The sentence names host and port, and the exit code is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = json.dumps(portal_settings(tmp_path / "x", **{"port": port, **QUIET}))
        code, output = failed_start(line + "\n")
    assert code == 1
    assert output == f"practice portal: cannot listen on 127.0.0.1, port {port}: Address already in use\n"


def test_an_unusable_state_file_is_one_sentence(tmp_path):
    """The sentence names the file, and the exit code is 1."""
    code, output = failed_start(json.dumps(portal_settings(tmp_path / "no" / "x", port=0)) + "\n")
    assert code == 1
    assert output.startswith(f"practice portal: the state file {tmp_path / 'no' / 'x'} cannot be used:")
    assert output.count("\n") == 1


@pytest.mark.parametrize("line", ["", "{}\n", '{"state_file": "x", "prot": 1}\n'])
def test_unusable_settings_are_one_sentence(line):
    """The exit code is 2."""
    code, output = failed_start(line)
    assert code == 2
    assert output.startswith("practice portal: ")
    assert output.count("\n") == 1
