"""A program with a parent-death signal, and the thread that starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from actors.portals.browser import pdeathsig_exec


def test_the_program_dies_with_the_thread_that_started_it(tmp_path: Path) -> None:
    """Until then it runs, with the process id from the pid file."""
    pid_file = tmp_path / "program.pid"
    command = [
        sys.executable,
        "-I",
        "-S",
        pdeathsig_exec.__file__,
        str(pid_file),
        "/bin/sh",
        "-c",
        "echo $$; sleep 60",
    ]
    started: list[subprocess.Popen[bytes]] = []
    release = threading.Event()

    def hold() -> None:
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        while not started:
            thread.join(0.01)
        (program,) = started
        assert program.stdout is not None
        with program.stdout as output:
            assert int(output.readline()) == program.pid == int(pid_file.read_text())
            assert program.poll() is None
            assert os.getsid(program.pid) == program.pid
    finally:
        release.set()
        thread.join()
    assert program.wait(5) == -signal.SIGKILL
