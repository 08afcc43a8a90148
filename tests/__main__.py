"""Every check of a change: ``python -m tests [--fast] [pytest arguments]``.

Format, lint, types and layers run first, side by side, then the tests, a file to a process.
All of them run, and the exit code says whether all passed. ``--fast`` leaves out the tests that start a
server, a browser or another program. Chromium is installed first where it is missing and this user may.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

CHECKS: Final = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports", "--no-cache"),
    ("mypy",),
    ("pyright", "--project", "pyproject.toml", "--pythonpath", sys.executable),
)

PROCESSES: Final = 3
"""Test files at once: many wait for a server or for real time."""
SLOWEST: Final = 20
"""Tests whose durations are printed at the end."""


def main(arguments: list[str]) -> int:
    """Run everything, and return the exit code."""
    fast = "--fast" in arguments
    selection = [argument for argument in arguments if argument != "--fast"]
    if fast:
        selection = ["-m", "not server", *selection]
    else:
        install_chromium()
    failed = run_checks()
    # Last, so that its closing line is the last that a reader sees.
    tests = run(
        sys.executable, "-m", "pytest", f"--numprocesses={PROCESSES}", f"--durations={SLOWEST}", *selection
    )
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else tests


def run_checks() -> list[str]:
    """Run the static checks side by side, print what each said, and return the names of those that failed."""
    scripts = Path(sys.executable).parent
    running = [
        subprocess.Popen(
            [str(scripts / check[0]), *check[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for check in CHECKS
    ]
    failed: list[str] = []
    for check, process in zip(CHECKS, running, strict=True):
        output, _ = process.communicate()
        sys.stderr.write(f"\n$ {' '.join(check)}\n{output}")
        if process.returncode != 0:
            failed.append(check[0])
    return failed


def run(*command: str) -> int:
    """Run a command in the foreground, and return its exit code."""
    sys.stderr.write(f"\n$ {Path(command[0]).name} {' '.join(command[1:])}\n")
    sys.stderr.flush()
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def install_chromium() -> None:
    """Install Debian's package, where there is no Chromium and we are root or may become it unasked."""
    from actors.portals.browser.chromium import find_chromium

    if find_chromium() is not None or shutil.which("apt-get") is None:
        return
    become_root: list[str] = []
    if os.geteuid() != 0:
        if (
            shutil.which("sudo") is None
            or subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode != 0
        ):
            return
        become_root = ["sudo", "-n"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        sys.stderr.write(f"\n$ apt-get {' '.join(step)}\n")
        subprocess.run(
            [*become_root, "apt-get", *step], check=False, env=environment, stdout=subprocess.DEVNULL
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
