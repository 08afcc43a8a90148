"""One-time codes: the examples of RFC 6238, and comparison with pyotp."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp.totp import TOTP

from actors.portals.totp import is_totp_secret, one_time_code

RFC = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_examples_of_rfc_6238(now: int, code: str):
    """Appendix B, the last six digits."""
    assert one_time_code(RFC, now=now) == code


@given(st.binary(min_size=14, max_size=64), st.integers(0, 2**35))
def test_codes_match_another_implementation(key: bytes, now: int):
    """For any secret and any time."""
    secret = base64.b32encode(key).decode()
    assert one_time_code(secret, now=now) == TOTP(secret).at(now)


@pytest.mark.parametrize(
    "secret", ["JBSWY3DPEHPK3PXP", "jbsw y3dp ehpk 3pxp", "JBSWY3DPEHPK3PXPJI", "JBSWY3DPEHPK3PXPJI======"]
)
def test_secrets_as_portals_show_them(secret: str):
    """In groups, in lower case, with and without padding."""
    assert is_totp_secret(secret)
    assert one_time_code(secret).isdigit()


@pytest.mark.parametrize("text", ["", "0189", "hunter2!", "ABC"])
def test_an_unusable_secret(text: str):
    """Neither empty nor other than base32."""
    assert not is_totp_secret(text)
