"""One-time codes as RFC 6238 makes them: six digits that are good for half a minute.

Not left to a library: those that are kept up refuse the 80 bits that many portals still give out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Final

PERIOD: Final = 30
DIGITS: Final = 6


def is_totp_secret(text: str) -> bool:
    """Tell whether codes can be made of a text."""
    try:
        return bool(_key(text))
    except (binascii.Error, ValueError):
        return False


def one_time_code(secret: str, *, now: float | None = None) -> str:
    """Return the code that is good now, or at a time in seconds since 1970."""
    step = int(time.time() if now is None else now) // PERIOD
    digest = hmac.digest(_key(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _key(secret: str) -> bytes:
    # Portals show it in groups, in either case, and without its padding.
    letters = "".join(secret.split()).upper().rstrip("=")
    return base64.b32decode(letters + "=" * (-len(letters) % 8))
