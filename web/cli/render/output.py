"""How commands print: for a person on a terminal, in plain whole lines for a pipe, in JSON for a program."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from io import StringIO

from rich.console import Console, RenderableType

_WIDE = 10_000
"""Columns of a pipe: nothing is wrapped or cut there, so that grep finds whole lines."""

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
"""The colour of each state, of an actor or of a check."""


def show(renderable: RenderableType) -> None:
    """Print for people at once: fitted and coloured on a terminal, in plain whole lines in a pipe."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(renderable)
        return
    sheet = StringIO()
    Console(file=sheet, width=_WIDE, highlight=False).print(renderable)
    for line in sheet.getvalue().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def show_json(data: object, *, indent: int | None = 2) -> None:
    """Print for programs, at once; without an indent on exactly one line."""
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Return text from elsewhere as one line that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def span(seconds: float) -> str:
    """Return a length of time in its two largest units."""
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
        return "(run from a checkout that is not installed)"
