"""One-time codes after RFC 6238 (TOTP): six digits, valid for 30 seconds.

Implemented here because the maintained libraries reject 80-bit secrets, which many portals still issue.
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
    """Return whether a text is a usable base32 secret."""
    try:
        return bool(_key(text))
    except (binascii.Error, ValueError):
        return False


def one_time_code(secret: str, *, now: float | None = None) -> str:
    """Return the code that is valid now, or at a Unix time."""
    step = int(time.time() if now is None else now) // PERIOD
    digest = hmac.digest(_key(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _key(secret: str) -> bytes:
    # Portals show secrets in groups, in either case and without padding.
    letters = "".join(secret.split()).upper().rstrip("=")
    return base64.b32decode(letters + "=" * (-len(letters) % 8))
