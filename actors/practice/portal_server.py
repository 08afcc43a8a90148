"""Runs the practice portal, a separate web site, as a child process."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr, TypeAdapter, ValidationError

from ..services import ChildProcess, Command, ProcessNotReady, ServerProcess
from ..settings import PracticeSettings

_READY_MESSAGE = TypeAdapter(dict[str, str])


class PracticePortal(ServerProcess):
    """The practice portal on its own port, with its state in a file that persists across restarts.

    Raises:
        ProcessExited, ProcessNotStarted, ProcessNotReady: from ``started``.
    """

    def __init__(self, settings: PracticeSettings, program: tuple[str, ...], state_file: Path) -> None:
        self._settings = settings
        self._program = program
        self._state_file = state_file

    async def prepare(self) -> Command:
        settings = asdict(self._settings) | {"state_file": str(self._state_file)}
        del settings["enabled"]  # not a setting of the portal itself
        line = json.dumps(settings, default=_reveal_secret)
        return Command(name="practice", argv=self._program, stdin=line.encode() + b"\n")

    async def ready(self, process: ChildProcess) -> str:
        message = await process.find_line(_parse_message)
        if "url" not in message:
            raise ProcessNotReady("practice", f"its first line is {message}, expected its url")
        return message["url"]


def _reveal_secret(value: object) -> str:
    """Return the value of a secret: the portal receives its secrets on stdin only."""
    assert isinstance(value, SecretStr)
    return value.get_secret_value()


def _parse_message(line: str) -> dict[str, str] | None:
    try:
        return _READY_MESSAGE.validate_json(line)
    except ValidationError:
        return None
