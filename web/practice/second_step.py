"""The second step of a login: a one-time code, asked of whoever gave the right password just before."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from pyotp.totp import TOTP

TICKET_SECONDS = 300.0
"""How long somebody may look for the code."""


class SecondStep:
    """Asks for one-time codes.

    Args:
        secret: what the codes are made of; "" asks for none.
        sign: makes a text that only this site can make of another.
    """

    def __init__(self, secret: str, sign: Callable[[str], str]) -> None:
        self._totp = TOTP(secret) if secret else None
        self._sign = sign

    @property
    def wanted(self) -> bool:
        """Whether there is a second step."""
        return self._totp is not None

    def ticket(self, visit: str, *, now: float) -> str:
        """Return what shows that the password was right, good for this visitor and for a while."""
        return f"{now:.0f}.{self._sign(f'{visit} {now:.0f}')}"

    def admits(self, ticket: str, visit: str, *, now: float) -> bool:
        """Tell whether a ticket is ours, this visitor's and not too old."""
        began, _, mark = ticket.partition(".")
        if not (visit and began.isascii() and began.isdigit() and now - int(began) <= TICKET_SECONDS):
            return False
        return hmac.compare_digest(mark.encode(), self._sign(f"{visit} {began}").encode())

    def fits(self, code: str) -> bool:
        """Tell whether a code is good now; those just before and after are too, as clocks differ."""
        return self._totp is not None and self._totp.verify(code.strip(), valid_window=1)
