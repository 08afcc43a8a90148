"""Conversion of cookies to and from `http.cookiejar`."""

from __future__ import annotations

from http.cookiejar import CookieJar

import httpx
import pytest

from actors.portals.cookies import Cookie, fill_jar, from_jar


@pytest.mark.parametrize(
    "cookie",
    [
        Cookie(name="a", value="1", domain="127.0.0.1"),
        Cookie(name="a", value="", domain="localhost", http_only=True),
        Cookie(name="a", value="1", domain=".portal.example", path="/jobs", expires=4e9, secure=True),
    ],
)
def test_a_cookie_survives_the_round_trip(cookie: Cookie):
    """No field is lost."""
    jar = CookieJar()
    fill_jar(jar, [cookie])
    assert from_jar(jar) == (cookie,)


@pytest.mark.parametrize(
    ("domain", "url", "sent"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001/jobs", True),
        ("localhost", "http://localhost:8001/jobs", True),
        ("portal.example", "https://portal.example/", True),
        (".portal.example", "https://sub.portal.example/", True),
        ("portal.example", "https://elsewhere.example/", False),
    ],
)
def test_cookies_are_sent_to_their_own_host_only(domain: str, url: str, sent: bool):
    """As a browser would send them."""
    client = httpx.Client()
    fill_jar(client.cookies.jar, [Cookie(name="a", value="1", domain=domain)])
    with client:
        assert ("cookie" in client.build_request("GET", url).headers) is sent


def test_a_cookie_does_not_show_its_value():
    """A cookie's value grants access to the account."""
    shown = repr(Cookie(name="session", value="hunter2", domain="portal.example"))
    assert "session" in shown
    assert "hunter2" not in shown
