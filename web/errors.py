"""Errors of the front end.

::

    WebFault
    ├─ CannotListen      the server cannot listen on its address
    │  └─ AddressInUse   another program listens there
    └─ Problem           an error response: status, code, sentence
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class WebFault(Exception):
    """Root of all errors that this package raises."""


class CannotListen(WebFault):
    """The web server cannot listen on its address; the text says why."""


class AddressInUse(CannotListen):
    """Another program listens on the address."""


class Problem(WebFault):
    """Raised while handling a request, to respond with an error in one sentence."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        """The situation in snake case, for programs."""
        self.detail = detail
        """The situation in a sentence, for people."""
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemKind:
    """How a refusal of an actor is answered."""

    status: int
    code: str
    """The situation in snake case, for programs."""
    detail: str | None = None
    """The sentence that clients of the Compatibility API know; None uses the refusal's own."""
