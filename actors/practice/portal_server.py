"""Runs the practice portal, a web site of its own, as a child process."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr, TypeAdapter, ValidationError

from ..services import ChildProcess, Command, ProcessNotReady, ServerProcess
from ..settings import PracticeSettings

_GREETING = TypeAdapter(dict[str, str])


class PracticePortal(ServerProcess):
    """The practice portal on its own port, with its state in a file that outlives it.

    Raises:
        ProcessExited, ProcessNotStarted, ProcessNotReady: from ``started``.
    """

    def __init__(self, settings: PracticeSettings, program: tuple[str, ...], state_file: Path) -> None:
        self._settings = settings
        self._program = program
        self._state_file = state_file

    async def prepare(self) -> Command:
        settings = asdict(self._settings) | {"state_file": str(self._state_file)}
        del settings["enabled"]  # it is started
        line = json.dumps(settings, default=_disclosed)
        return Command(name="practice", argv=self._program, stdin=line.encode() + b"\n")

    async def ready(self, process: ChildProcess) -> str:
        greeting = await process.find_line(_greeting)
        if "url" not in greeting:
            raise ProcessNotReady("practice", f"it greeted with {greeting} instead of its url")
        return greeting["url"]


def _disclosed(value: object) -> str:
    """Its own stdin is the one place where the portal can learn its secrets."""
    assert isinstance(value, SecretStr)
    return value.get_secret_value()


def _greeting(line: str) -> dict[str, str] | None:
    try:
        return _GREETING.validate_json(line)
    except ValidationError:
        return None
