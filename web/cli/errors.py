"""Errors that end a command with exit code 1, each one sentence for the operator.

::

    CommandFailed
    ├─ NotRunning           nothing answers at the instance's address
    ├─ TokenRefused         the instance refuses the token
    ├─ UnexpectedResponse   the server there is not botvisor
    ├─ RequestRejected      the instance rejects the request
    └─ ConnectionLost       the connection ended; a retry may succeed
"""

from __future__ import annotations


class CommandFailed(Exception):
    """Ends a command with exit code 1; its text is printed."""


class NotRunning(CommandFailed):
    """Nothing answers at the instance's address."""


class TokenRefused(CommandFailed):
    """The instance refuses the token."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} refuses the token: set web.token_file, or BOTVISOR__WEB__TOKEN")


class UnexpectedResponse(CommandFailed):
    """The response is not one of botvisor's."""


class RequestRejected(CommandFailed):
    """The instance rejected the request; the text is its own sentence."""


class ConnectionLost(CommandFailed):
    """The connection ended; a retry may succeed."""
