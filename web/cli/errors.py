"""Why a command did not work, each one sentence for the operator.

::

    CommandFailed
    ├─ NotRunning       nothing answers where the instance should be
    ├─ TokenRefused     an instance answers, and does not take our token
    ├─ OddAnswer        something answers, but not as botvisor would
    ├─ Declined         the instance understood, and will not do it
    └─ ConnectionLost   the instance answered, and does not any more
"""

from __future__ import annotations


class CommandFailed(Exception):
    """Root of what ends a command with exit code 1; its text is all that the operator sees."""


class NotRunning(CommandFailed):
    """Nothing answers where the instance should be."""


class TokenRefused(CommandFailed):
    """The instance answers, and does not take our token."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} refuses the token: set web.token_file, or BOTVISOR__WEB__TOKEN")


class UnexpectedResponse(CommandFailed):
    """Something answers, but not as botvisor would."""


class RequestRejected(CommandFailed):
    """The instance understood what is wanted, and will not or cannot do it; its own words."""


class ConnectionLost(CommandFailed):
    """The instance answered, and does not any more; it may again."""
