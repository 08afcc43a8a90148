"""What is wrong with the configuration, in one line for the person who wrote it."""

from __future__ import annotations


class SettingsError(Exception):
    """The configuration cannot be used; the text is one line that names the source and shows no secret."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        """A file's path, the name of an environment variable, or ``--set``."""
        self.problem = problem
        """The key, its value and what was expected, or why the source cannot be read."""
