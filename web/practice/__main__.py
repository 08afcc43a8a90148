"""Run the practice portal: settings in on stdin, its address out on stdout, then serve until told to stop."""

from __future__ import annotations

import json
import sys
from functools import partial

import trio

from .server import CannotServe, serve
from .settings import SettingsError, read_settings


def main() -> int:
    """Return the exit code: 0 after an orderly stop, 2 for unusable settings, 1 when it cannot serve."""
    try:
        settings = read_settings(sys.stdin.buffer.readline())
        trio.run(partial(serve, settings, announce=_announce, parent=sys.stdin.fileno()))
    except SettingsError as error:
        return _refuse(error, 2)
    except CannotServe as error:
        return _refuse(error, 1)
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()


def _refuse(error: Exception, code: int) -> int:
    sys.stderr.write(f"practice portal: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
