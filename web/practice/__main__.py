"""Runs the practice portal: reads settings from stdin, prints its URL on stdout, and serves until stopped."""

from __future__ import annotations

import json
import sys
from functools import partial

import trio

from .server import CannotServe, serve
from .settings import SiteSettingsError, read_settings


def main() -> int:
    """Return the exit code: 0 after a stop, 2 for invalid settings, 1 if it cannot serve."""
    try:
        settings = read_settings(sys.stdin.buffer.readline())
        trio.run(partial(serve, settings, announce=_announce, parent=sys.stdin.fileno()))
    except SiteSettingsError as error:
        return _fail(error, 2)
    except CannotServe as error:
        return _fail(error, 1)
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"practice portal: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
