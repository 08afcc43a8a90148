from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr
from trio_websocket import ConnectionRejected

from web.api.auth import COOKIE

from .. import wire
from ..parts.application import House, client, living
from ..parts.views import web_settings

TOKEN = 'open; sesame="1"'
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PARTNER = "https://partner.example"


def guarded(**changes):
    return House(settings=web_settings(token=SecretStr(TOKEN), **changes))


async def rejection(application, **headers):
    """The status with which a WebSocket handshake is refused; None where it is not."""
    status = None
    try:
        async with wire.websocket(application.port, headers=headers):
            pass
    except* ConnectionRejected as group:
        status = group.exceptions[0].status_code
    return status


# Tokens


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_without_the_token_nothing_is_told(headers):
    """401 with a problem, for REST and WebSocket alike."""
    application = guarded()
    async with living(application), client(application, headers=headers) as http:
        for method, path in [("GET", "/api/bot/status"), ("POST", "/api/bot/start"), ("GET", "/health")]:
            answer = await http.request(method, path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "token_required"
        assert await rejection(application, **headers) == 401
    assert application.sessions == []


async def test_with_the_token_everything_is_open():
    """In the header, for REST and WebSocket alike."""
    application = guarded()
    async with living(application), client(application, headers=BEARER) as http:
        assert (await http.get("/api/bot/status")).status_code == 200
        assert (await http.get("/")).status_code == 200
        assert await rejection(application, **BEARER) is None


async def test_the_page_takes_the_token_and_keeps_a_cookie():
    """The token leaves the address bar, and stays out of the cookie and of scripts."""
    application = guarded()
    async with living(application), client(application) as http:
        door = await http.get(
            "/?token=%6F" + TOKEN[1:].replace(" ", "%20").replace('"', "%22").replace(";", "%3B")
        )
        assert (door.status_code, door.headers["location"]) == (303, "/")
        cookie = door.headers["set-cookie"]
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
async def test_a_person_without_the_token_is_asked_for_it(path):
    """A form instead of JSON, with the status of an error."""
    application = guarded()
    async with living(application), client(application) as http:
        door = await http.get(path)
    assert door.status_code == 401
    assert 'type="password"' in door.text
    assert "set-cookie" not in door.headers


async def test_what_holds_no_secret_needs_no_token():
    """Liveness for those who watch the process, and the page's own files."""
    application = guarded()
    async with living(application), client(application) as http:
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/static/style.css")).status_code == 200
        assert (await http.get("/static/../api/bot/status")).status_code == 401


# Origins


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "", "nonsense"])
async def test_pages_of_other_sites_change_nothing(origin):
    """403 for what changes something, and for a WebSocket, whose answers a browser would show them."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.post("/api/bot/start", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
        assert await rejection(application, Origin=origin) == 403
    assert application.sessions == []


async def test_our_own_page_and_programs_may():
    """A page has our origin, a program has none."""
    application = House()
    async with living(application), client(application) as http:
        assert (await http.post("/api/bot/start", headers={"Origin": application.url})).status_code == 200
        assert (await http.post("/api/bot/stop")).status_code == 200
        assert await rejection(application, Origin=application.url) is None


async def test_an_allowed_origin_may_and_may_read_the_answer():
    """CORS headers for it and for nobody else."""
    application = House(settings=web_settings(allowed_origins=(PARTNER,)))
    async with living(application), client(application) as http:
        allowed = await http.post("/api/bot/start", headers={"Origin": PARTNER})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PARTNER
        assert "Origin" in allowed.headers["vary"]
        other = await http.get("/api/bot/status", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert await rejection(application, Origin=PARTNER) is None
        assert await rejection(application, Origin="https://evil.example") == 403


async def test_a_preflight_request_needs_no_token():
    """A browser sends none with it."""
    application = guarded(allowed_origins=(PARTNER,))
    headers = {"Origin": PARTNER, "Access-Control-Request-Method": "POST"}
    async with living(application), client(application) as http:
        preflight = await http.options("/api/bot/start", headers=headers)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == PARTNER
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert (await http.options("/api/bot/start", headers=headers | {"Origin": "null"})).status_code == 401
        # What follows does need one.
        assert (await http.post("/api/bot/start", headers={"Origin": PARTNER})).status_code == 401


# Hosts


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.x"]
)
async def test_a_foreign_name_for_this_machine_is_refused_on_loopback(host):
    """DNS rebinding: another site's name that was pointed at 127.0.0.1."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.get("/api/bot/status", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.8.8.8", "[::1]:8000", "[::1]"]
)
async def test_this_machine_has_several_names(host):
    """All of them are its own."""
    application = House()
    async with living(application), client(application) as http:
        assert (await http.get("/api/bot/status", headers={"Host": host})).status_code == 200


async def test_the_host_of_an_allowed_origin_is_no_foreign_one():
    """A reverse proxy that passes its own name on."""
    application = House(settings=web_settings(allowed_origins=(PARTNER,)))
    async with living(application), client(application) as http:
        assert (await http.get("/api/bot/status", headers={"Host": "partner.example"})).status_code == 200


async def test_beyond_loopback_any_name_will_do():
    """Nobody knows what the machine is called; the token keeps others out there."""
    application = guarded(host="0.0.0.0")
    async with living(application), client(application, headers=BEARER) as http:
        assert application.url.startswith("http://127.0.0.1:")
        assert (await http.get("/api/bot/status", headers={"Host": "bots.example"})).status_code == 200


# Every answer


@pytest.mark.parametrize("path", ["/", "/api/bot/status", "/nowhere", "/static/main.js"])
async def test_every_answer_is_strict(path):
    """Nothing from outside, in no frame, as no other type."""
    application = House()
    async with living(application), client(application) as http:
        headers = (await http.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers
    assert headers["cache-control"] == ("no-cache" if path in {"/", "/static/main.js"} else "no-store")


async def test_an_old_client_without_a_host_is_no_browser():
    """HTTP/1.0 has no Host header, and no rebinding either."""
    application = House()
    async with living(application), wire.connected(application.port) as stream:
        await stream.send_all(b"GET /livez HTTP/1.0\r\n\r\n")
        assert (await wire.read_all(stream)).startswith(b"HTTP/1.1 200")


async def test_a_token_of_odd_characters_in_a_header_is_just_wrong():
    """Bytes beyond ASCII are compared, not stumbled over."""
    application = guarded()
    async with living(application), httpx.AsyncClient(base_url=application.url, trust_env=False) as http:
        odd = await http.get("/livez", headers={b"Authorization": b"Bearer \xff\xfe"})
        assert odd.status_code == 200
        odd = await http.get("/api/bot/status", headers={b"Authorization": b"Bearer \xff\xfe"})
        assert odd.status_code == 401
