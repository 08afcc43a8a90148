"""The second factor of a login: a one-time code, after the correct password."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from pyotp.totp import TOTP

TICKET_SECONDS = 300.0
"""Time to enter the code."""


class SecondFactor:
    """Checks one-time codes (TOTP).

    Args:
        secret: the TOTP secret in base32; "" turns the second factor off.
        sign: returns a signature of a text that only this site can create.
    """

    def __init__(self, secret: str, sign: Callable[[str], str]) -> None:
        self._totp = TOTP(secret) if secret else None
        self._sign = sign

    @property
    def enabled(self) -> bool:
        """Whether the login has a second factor."""
        return self._totp is not None

    def ticket(self, browser: str, *, now: float) -> str:
        """Return a ticket for a correct password, valid for one browser and a limited time."""
        return f"{now:.0f}.{self._sign(f'{browser} {now:.0f}')}"

    def is_valid_ticket(self, ticket: str, browser: str, *, now: float) -> bool:
        """Return whether a ticket is genuine, belongs to this browser and has not expired."""
        began, _, mark = ticket.partition(".")
        if not (browser and began.isascii() and began.isdigit() and now - int(began) <= TICKET_SECONDS):
            return False
        return hmac.compare_digest(mark.encode(), self._sign(f"{browser} {began}").encode())

    def is_valid_code(self, code: str) -> bool:
        """Return whether a code is valid now; the codes before and after it are, too, as clocks differ."""
        return self._totp is not None and self._totp.verify(code.strip(), valid_window=1)
