from __future__ import annotations

import re

import httpx
import pytest
from pyotp.totp import TOTP

from web.practice.second_factor import TICKET_SECONDS, SecondFactor

from .portal_process import csrf, portal_process, sign_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def sign(text: str) -> str:
    return text[::-1]


def test_a_ticket_is_for_one_browser_and_a_limited_time():
    """Foreign, expired and forged tickets are invalid."""
    factor = SecondFactor(SECRET, sign)
    ticket = factor.ticket("ann", now=1000)
    assert factor.is_valid_ticket(ticket, "ann", now=1000 + TICKET_SECONDS)
    assert not factor.is_valid_ticket(ticket, "ann", now=1001 + TICKET_SECONDS)
    assert not factor.is_valid_ticket(ticket, "bob", now=1000)
    assert not factor.is_valid_ticket(ticket.replace("1000", "2000", 1), "ann", now=2000)
    for broken in ("", ".", "x.y", "²." + sign("ann ²")):
        assert not factor.is_valid_ticket(broken, "ann", now=1000)


def test_without_a_secret_there_is_no_second_factor():
    """No code is valid."""
    factor = SecondFactor("", sign)
    assert not factor.enabled
    assert not factor.is_valid_code("000000")


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    with portal_process(tmp_path_factory.mktemp("codes") / "portal.sqlite", totp_secret=SECRET) as portal:
        yield portal


@pytest.fixture
def client(portal):
    with httpx.Client(base_url=portal.url, timeout=10) as client:
        yield client


def test_a_password_alone_is_not_enough(client):
    """The right password leads to the code, the right code to the jobs."""
    page = sign_in(client)
    assert page.url.path == "/login/code"
    assert client.get("/jobs").headers["location"] == "/login"
    wrong = client.post("/login/code", data={"csrf": csrf(page), "code": "no"})
    assert wrong.status_code == 401
    assert re.search(r'id="login-error"[^>]*>That code is wrong or too old\.', wrong.text)
    right = client.post("/login/code", data={"csrf": csrf(page), "code": TOTP(SECRET).now()})
    assert right.headers["location"] == "/jobs"
    assert client.get("/jobs").status_code == 200
    assert client.get("/login/code").headers["location"] == "/login"


def test_the_code_needs_the_password_first(client):
    """Without the password, or without the form token, it redirects to the login."""
    assert client.get("/login/code").headers["location"] == "/login"
    code = TOTP(SECRET).now()
    assert client.post("/login/code", data={"csrf": "", "code": code}).headers["location"] == "/login"
    sign_in(client)
    assert client.post("/login/code", data={"csrf": "", "code": code}).headers["location"] == "/login"
    assert sign_in(client, password="wrong").status_code == 401
