"""Output of commands: formatted on a terminal, plain whole lines in a pipe, or JSON."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from io import StringIO

from rich.console import Console, RenderableType

_PIPE_WIDTH = 10_000
"""Columns in a pipe: lines are not wrapped or cut, so that grep finds whole lines."""

STATE_STYLES = {
    "running": "green",
    "ok": "green",
    "starting": "cyan",
    "stopping": "cyan",
    "waiting": "cyan",
    "backoff": "yellow",
    "failed": "bold red",
    "stopped": "dim",
}
"""Colours of actor and check states."""


def show(renderable: RenderableType) -> None:
    """Print and flush: fitted and coloured on a terminal, plain whole lines in a pipe."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(renderable)
        return
    buffer = StringIO()
    Console(file=buffer, width=_PIPE_WIDTH, highlight=False).print(renderable)
    for line in buffer.getvalue().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def show_json(data: object, *, indent: int | None = 2) -> None:
    """Print JSON and flush; without an indent on one line."""
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Return untrusted text as one line without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def span(seconds: float) -> str:
    """Format a duration in its two largest units."""
    whole = int(seconds)
    for unit, length, lower, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length}{unit} {whole % length // part}{lower}"
    return f"{whole}s"


def version() -> str:
    """Return the version of the installed distribution."""
    try:
        return importlib.metadata.version("botvisor")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
