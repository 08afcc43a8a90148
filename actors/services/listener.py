"""Who wants to know what a child process writes."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Takes what a process writes, on stdout and stderr alike. Must not raise."""

    def hear(self, line: str) -> None:
        """Take a line that is not empty."""
        ...

    def miss(self, lines: int) -> None:
        """Note that so many lines were passed over."""
        ...
