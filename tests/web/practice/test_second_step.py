from __future__ import annotations

import re

import httpx
import pytest
from pyotp.totp import TOTP

from web.practice.second_step import TICKET_SECONDS, SecondStep

from .portal_process import csrf, portal_process, sign_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def sign(text: str) -> str:
    return text[::-1]


def test_a_ticket_is_for_one_visitor_and_a_while():
    """Somebody else's, an old one and one that was tampered with admit nobody."""
    step = SecondStep(SECRET, sign)
    ticket = step.ticket("ann", now=1000)
    assert step.admits(ticket, "ann", now=1000 + TICKET_SECONDS)
    assert not step.admits(ticket, "ann", now=1001 + TICKET_SECONDS)
    assert not step.admits(ticket, "bob", now=1000)
    assert not step.admits(ticket.replace("1000", "2000", 1), "ann", now=2000)
    for broken in ("", ".", "x.y", "²." + sign("ann ²")):
        assert not step.admits(broken, "ann", now=1000)


def test_without_a_secret_there_is_no_second_step():
    """And no code is good."""
    step = SecondStep("", sign)
    assert not step.wanted
    assert not step.fits("000000")


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    with portal_process(tmp_path_factory.mktemp("codes") / "portal.sqlite", totp_secret=SECRET) as portal:
        yield portal


@pytest.fixture
def client(portal):
    with httpx.Client(base_url=portal.url, timeout=10) as client:
        yield client


def test_a_password_alone_opens_nothing(client):
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


def test_the_code_is_asked_of_nobody_else(client):
    """Without the password before it, or without the form's token, the way is back to the login."""
    assert client.get("/login/code").headers["location"] == "/login"
    code = TOTP(SECRET).now()
    assert client.post("/login/code", data={"csrf": "", "code": code}).headers["location"] == "/login"
    sign_in(client)
    assert client.post("/login/code", data={"csrf": "", "code": code}).headers["location"] == "/login"
    assert sign_in(client, password="wrong").status_code == 401
