"""Runs the real practice portal in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]
DEFAULTS = tomllib.loads((ROOT / "config" / "default.toml").read_text())["practice"]
"""The whole section."""
QUIET = {"arrival_seconds": 0, "taken_share": 0, "session_seconds": 0, "slow_share": 0, "error_share": 0}
"""Settings without faults and changes."""


def portal_settings(state_file: Path | str, **settings: object) -> dict[str, object]:
    """Return the settings of the portal: the defaults with these overrides."""
    whole = {**DEFAULTS, "state_file": str(state_file), **settings}
    return {key: value for key, value in whole.items() if key != "enabled"}


@dataclass
class PortalProcess:
    """A running portal."""

    url: str
    process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> int:
        """Stop it, and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        """Kill it, as kill -9 does."""
        self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def portal_process(state_file: Path, **settings: object) -> Generator[PortalProcess]:
    """Run a portal without faults, except those in `settings`."""
    line = json.dumps(portal_settings(state_file, **{"port": 0, **QUIET, **settings}))
    with subprocess.Popen(
        [sys.executable, "-m", "web.practice"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            yield PortalProcess(json.loads(process.stdout.readline())["url"], process)
        finally:
            process.kill()


def sign_in(
    client: httpx.Client, *, username: str = "operator", password: str = "practice"
) -> httpx.Response:
    """Sign in with the form, and return the page after it."""
    page = client.get("/login")
    form = {"csrf": csrf(page), "username": username, "password": password}
    return client.post("/login", data=form, follow_redirects=True)


def csrf(page: httpx.Response) -> str:
    """Return the token in the forms of a page."""
    return page.text.partition('name="csrf" value="')[2].partition('"')[0]
