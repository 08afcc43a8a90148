"""Everything that must hold before a change is good: ``python -m tests [pytest arguments]``.

Format, lint, types, layers and tests, in this order; all of them run, and the
exit code says whether all passed. Chromium is installed first where it is
missing and this user may.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("pyright", "--project", "pyproject.toml", "--pythonpath", sys.executable),
    ("lint-imports", "--no-cache"),
)


def main(arguments: list[str]) -> int:
    install_chromium()
    scripts = Path(sys.executable).parent
    failed = [check[0] for check in CHECKS if run(str(scripts / check[0]), *check[1:]) != 0]
    # Last, so that its closing line is the last that a reader sees.
    tests = run(sys.executable, "-m", "pytest", *arguments)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else tests


def run(*command: str) -> int:
    sys.stderr.write(f"\n$ {Path(command[0]).name} {' '.join(command[1:])}\n")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def install_chromium() -> None:
    """Debian's package, where there is no Chromium yet and we are root or may become it unasked."""
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
