"""Log output of a real process, on a terminal and in a pipe."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

SECRET = "correct-horse-battery"
PROGRAM = """
import logging, sys
import structlog
from web.logs import configure_logs

def login(username):
    password = sys.argv[1]
    raise ConnectionError(f"{username} cannot sign in")

configure_logs("info")
try:
    login("operator")
except ConnectionError as error:
    structlog.get_logger("application").warning("child_failed", path="sessions/a", exc_info=error)
    logging.getLogger("hypercorn").error("request failed", exc_info=error)
"""


def log_on_a_terminal() -> str:
    controller, terminal = os.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, SECRET], stderr=terminal, env=environ()
            )
        finally:
            os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports a closed terminal as EIO
            while chunk := screen.read(65_536):
                shown += chunk
    assert process.wait(timeout=10) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())


def log_in_a_pipe() -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, SECRET], stderr=subprocess.PIPE, check=True, timeout=30, env=environ()
    )
    return done.stderr.decode()


def environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return kept | {"PYTHONPATH": os.getcwd(), "TERM": "xterm"}


@pytest.mark.parametrize("write_log", [log_on_a_terminal, log_in_a_pipe])
def test_a_traceback_shows_no_variables(write_log: Callable[[], str]) -> None:
    """Only frames and messages, on a terminal and in a pipe."""
    shown = write_log()
    assert shown.count("ConnectionError: operator cannot sign in") == 2
    assert shown.count("in login") == 2
    assert "child_failed" in shown
    assert SECRET not in shown
