"""What can go wrong at the front end, named for what the reader should think.

::

    WebFault
    ├─ CannotListen      the server has no address to answer at
    │  └─ AddressInUse   another program has it
    └─ Problem           an answer that is an error: status, sentence, code
"""

from __future__ import annotations

from collections.abc import Mapping


class WebFault(Exception):
    """Root of all errors that this package raises."""


class CannotListen(WebFault):
    """The web server cannot listen where it was told to; the text says why, in a sentence."""


class AddressInUse(CannotListen):
    """Another program listens there already."""


class Problem(WebFault):
    """Raised anywhere in a request to answer it with an error of one sentence."""

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
