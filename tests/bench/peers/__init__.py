"""Other task queues, each in a process with packages of its own, which are installed on first use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PYTHON_PACKAGES = ("arq==0.28.0", "dramatiq[redis]==2.2.1", "procrastinate==3.10.0")
NODE_PACKAGES = ("bullmq", "ioredis")
TIMEOUT = 180.0


def cache() -> Path:
    """Folder of the peers' packages, kept between runs."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else Path.home() / ".cache") / "botvisor-bench"


def python() -> str:
    """An interpreter with the Python peers, separate as arq needs an older redis than we do."""
    folder = cache() / "python"
    program = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES], check=True)
        (folder / "ready").touch()
    return str(program)


def node() -> Path | None:
    """A folder with BullMQ; None where Node is not installed."""
    if shutil.which("npm") is None:
        return None
    folder = cache() / "node"
    if not (folder / "node_modules" / "bullmq").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--silent", "--no-fund", *NODE_PACKAGES], cwd=folder, check=True)
    # Node finds modules beside the script.
    shutil.copy(HERE / "bullmq.mjs", folder)
    return folder


def bullmq(socket: str, jobs: int) -> dict[str, float] | None:
    """BullMQ's figures, in jobs a second."""
    folder = node()
    return None if folder is None else _measure("node", str(folder / "bullmq.mjs"), socket, str(jobs))


def python_peer(name: str, address: str, jobs: int) -> dict[str, float]:
    """A Python peer's figures, in jobs a second."""
    return _measure(python(), "-W", "ignore", str(HERE / f"{name}_peer.py"), address, str(jobs))


def _measure(*command: str) -> dict[str, float]:
    finished = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    figures: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return figures
