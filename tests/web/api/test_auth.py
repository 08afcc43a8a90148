from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr
from trio_websocket import ConnectionRejected

from web.api.auth import COOKIE

from ...builders import web_settings
from .. import raw_client
from ..fakes.application import FakeApplication, client, serving

TOKEN = 'open; sesame="1"'
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PARTNER = "https://partner.example"


def with_token(**changes):
    return FakeApplication(settings=web_settings(token=SecretStr(TOKEN), **changes))


async def rejection(application, **headers):
    """The status with which a WebSocket handshake is rejected; None if it is accepted."""
    status = None
    try:
        async with raw_client.websocket(application.port, headers=headers):
            pass
    except* ConnectionRejected as group:
        status = group.exceptions[0].status_code
    return status


# Tokens


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_requests_without_the_token_are_rejected(headers):
    """With 401, by REST and WebSocket."""
    application = with_token()
    async with serving(application), client(application, headers=headers) as http:
        for method, path in [("GET", "/api/bot/status"), ("POST", "/api/bot/start"), ("GET", "/health")]:
            answer = await http.request(method, path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "token_required"
        assert await rejection(application, **headers) == 401
    assert application.sessions == []


async def test_requests_with_the_token_are_accepted():
    """By REST and WebSocket."""
    application = with_token()
    async with serving(application), client(application, headers=BEARER) as http:
        assert (await http.get("/api/bot/status")).status_code == 200
        assert (await http.get("/")).status_code == 200
        assert await rejection(application, **BEARER) is None


async def test_the_page_exchanges_the_token_for_a_cookie():
    """The token leaves the address bar, and is neither in the cookie nor visible to scripts."""
    application = with_token()
    async with serving(application), client(application) as http:
        response = await http.get(
            "/?token=%6F" + TOKEN[1:].replace(" ", "%20").replace('"', "%22").replace(";", "%3B")
        )
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "sesame" not in cookie
        assert (await http.get("/")).status_code == 200
        assert (await http.get("/api/bot/status")).status_code == 200
        value = cookie.partition(";")[0]
        assert await rejection(application, Cookie=value) is None
        assert await rejection(application, Cookie=f"{COOKIE}={TOKEN}") == 401


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token="])
async def test_the_page_without_the_token_is_a_form(path):
    """HTML instead of JSON, with 401."""
    application = with_token()
    async with serving(application), client(application) as http:
        response = await http.get(path)
    assert response.status_code == 401
    assert 'type="password"' in response.text
    assert "set-cookie" not in response.headers


async def test_public_paths_need_no_token():
    """Process probes and the page's files."""
    application = with_token()
    async with serving(application), client(application) as http:
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/static/style.css")).status_code == 200
        assert (await http.get("/static/../api/bot/status")).status_code == 401


# Origins


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "", "nonsense"])
async def test_foreign_origins_are_rejected(origin):
    """For requests that change something and for WebSockets, which browsers let any page open."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.post("/api/bot/start", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
        assert await rejection(application, Origin=origin) == 403
    assert application.sessions == []


async def test_our_page_and_programs_are_accepted():
    """Our page sends our origin, programs none."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert (await http.post("/api/bot/start", headers={"Origin": application.url})).status_code == 200
        assert (await http.post("/api/bot/stop")).status_code == 200
        assert await rejection(application, Origin=application.url) is None


async def test_an_allowed_origin_is_accepted_and_gets_cors_headers():
    """Other origins get none."""
    application = FakeApplication(settings=web_settings(allowed_origins=(PARTNER,)))
    async with serving(application), client(application) as http:
        allowed = await http.post("/api/bot/start", headers={"Origin": PARTNER})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PARTNER
        assert "Origin" in allowed.headers["vary"]
        other = await http.get("/api/bot/status", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert await rejection(application, Origin=PARTNER) is None
        assert await rejection(application, Origin="https://evil.example") == 403


async def test_a_preflight_request_needs_no_token():
    """Browsers send none."""
    application = with_token(allowed_origins=(PARTNER,))
    headers = {"Origin": PARTNER, "Access-Control-Request-Method": "POST"}
    async with serving(application), client(application) as http:
        preflight = await http.options("/api/bot/start", headers=headers)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == PARTNER
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert (await http.options("/api/bot/start", headers=headers | {"Origin": "null"})).status_code == 401
        # The request after it does.
        assert (await http.post("/api/bot/start", headers={"Origin": PARTNER})).status_code == 401


# Hosts


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.x"]
)
async def test_a_foreign_host_is_rejected_on_loopback(host):
    """DNS rebinding points another site's name at 127.0.0.1."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get("/api/bot/status", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.8.8.8", "[::1]:8000", "[::1]"]
)
async def test_the_names_of_this_machine_are_accepted(host):
    """With and without a port."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert (await http.get("/api/bot/status", headers={"Host": host})).status_code == 200


async def test_the_host_of_an_allowed_origin_is_accepted():
    """As a reverse proxy forwards it."""
    application = FakeApplication(settings=web_settings(allowed_origins=(PARTNER,)))
    async with serving(application), client(application) as http:
        assert (await http.get("/api/bot/status", headers={"Host": "partner.example"})).status_code == 200


async def test_beyond_loopback_any_host_is_accepted():
    """The token protects the server there."""
    application = with_token(host="0.0.0.0")
    async with serving(application), client(application, headers=BEARER) as http:
        assert application.url.startswith("http://127.0.0.1:")
        assert (await http.get("/api/bot/status", headers={"Host": "bots.example"})).status_code == 200


# Every response


@pytest.mark.parametrize("path", ["/", "/api/bot/status", "/nowhere", "/static/main.js"])
async def test_every_response_has_security_headers(path):
    """No foreign content, no framing, no content sniffing."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        headers = (await http.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers
    assert headers["cache-control"] == ("no-cache" if path in {"/", "/static/main.js"} else "no-store")


async def test_a_client_without_a_host_header_is_accepted():
    """HTTP/1.0 has none."""
    application = FakeApplication()
    async with serving(application), raw_client.connected(application.port) as stream:
        await stream.send_all(b"GET /livez HTTP/1.0\r\n\r\n")
        assert (await raw_client.read_all(stream)).startswith(b"HTTP/1.1 200")


async def test_a_non_ascii_token_is_rejected():
    """Without an error."""
    application = with_token()
    async with serving(application), httpx.AsyncClient(base_url=application.url, trust_env=False) as http:
        odd = await http.get("/livez", headers={b"Authorization": b"Bearer \xff\xfe"})
        assert odd.status_code == 200
        odd = await http.get("/api/bot/status", headers={b"Authorization": b"Bearer \xff\xfe"})
        assert odd.status_code == 401
