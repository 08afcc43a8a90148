"""Login with both engines: second factors, saved logins, and the throttle."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from actors.portals import (
    Credentials,
    LoginRefused,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
    load_definition,
)
from actors.portals.errors import PortalPaused
from actors.portals.login_store import SavedLogin, open_login_store
from actors.portals.politeness import Politeness

from ...web.practice.portal_process import portal_process
from .engines import ENGINES, Engine, logins, open_engine

PRACTICE = load_definition(Path(__file__).parents[3] / "config" / "portals" / "practice.toml")
OPERATOR = Credentials(username="operator", password="practice")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WITH_CODES = replace(OPERATOR, totp_secret=SECRET)


@pytest.fixture(params=ENGINES)
async def engine(request, chromium: Path, tmp_path: Path) -> AsyncGenerator[Engine, None]:
    async with open_engine(request.param, chromium, tmp_path) as engine:
        yield engine


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "portal.sqlite"


def saved(folder: Path, url: str) -> SavedLogin:
    """The saved login of one session, as a new process opens it."""
    return open_login_store(folder / "logins").saved_login("one", base_url=url, username="operator")


async def test_a_second_factor(engine: Engine, state: Path):
    """The code is sent in a second step; a wrong or missing secret raises `LoginRefused`."""
    with portal_process(state, totp_secret=SECRET, initial_jobs=3) as site:
        definition = PRACTICE.at(site.url)
        async with engine(definition, WITH_CODES, None) as portal:
            for _ in range(2):
                await portal.login()
                assert len(await portal.jobs()) == 3
        async with engine(definition, replace(OPERATOR, totp_secret=SECRET[::-1]), None) as portal:
            with pytest.raises(LoginRefused, match="That code is wrong or too old"):
                await portal.login()
        async with engine(definition, OPERATOR, None) as portal:
            with pytest.raises(LoginRefused, match="no totp_secret is configured"):
                await portal.login()
        async with engine(definition, replace(WITH_CODES, password="wrong"), None) as portal:
            with pytest.raises(LoginRefused, match="User name or password is wrong"):
                await portal.login()
        wrong = replace(definition, login=replace(definition.login, totp_field="cod"))
        async with engine(wrong, WITH_CODES, None) as portal:
            with pytest.raises(PageChanged, match="/login has changed"):
                await portal.login()


async def test_no_code_is_sent_to_a_portal_without_a_second_step(engine: Engine, state: Path):
    """A definition with a second step also works where the portal has it turned off."""
    with portal_process(state, initial_jobs=1) as site:
        async with engine(PRACTICE.at(site.url), WITH_CODES, None) as portal:
            await portal.login()
            assert len(await portal.jobs()) == 1


async def test_a_saved_login_is_resumed(engine: Engine, state: Path, tmp_path: Path):
    """The portal's database has one login, until a session logs in again or the saved login is deleted."""
    with portal_process(state, initial_jobs=2, totp_secret=SECRET) as site:
        definition = PRACTICE.at(site.url)
        for _ in range(3):
            async with engine(definition, WITH_CODES, saved(tmp_path, site.url)) as portal:
                await portal.login()
                assert len(await portal.jobs()) == 2
                assert await portal.navigate("/results") == "Results · Practice portal (/results)"
        assert logins(state) == 1
        async with engine(definition, WITH_CODES, saved(tmp_path, site.url)) as portal:
            await portal.login()
            await portal.login()
        assert logins(state) == 2
        await open_login_store(tmp_path / "logins").delete("one")
        async with engine(definition, WITH_CODES, saved(tmp_path, site.url)) as portal:
            await portal.login()
        assert logins(state) == 3


async def test_a_saved_login_is_resumed_after_a_restart_of_the_portal(
    engine: Engine, state: Path, tmp_path: Path
):
    """An unavailable portal does not invalidate the saved login."""
    with portal_process(state) as site:
        port = int(site.url.rpartition(":")[2])
        async with engine(PRACTICE.at(site.url), OPERATOR, saved(tmp_path, site.url)) as portal:
            await portal.login()
    async with engine(PRACTICE.at(site.url), OPERATOR, saved(tmp_path, site.url)) as portal:
        with pytest.raises(PortalUnavailable):
            await portal.login()
        with portal_process(state, port=port):
            await portal.login()
            await portal.jobs()
    assert logins(state) == 1


async def test_an_invalid_saved_login_is_replaced(engine: Engine, state: Path, tmp_path: Path):
    """Expired, damaged or unknown to the portal: the session logs in and saves the new login."""
    with portal_process(state, initial_jobs=1, session_seconds=0) as site:
        definition = PRACTICE.at(site.url)
        async with engine(definition, OPERATOR, saved(tmp_path, site.url)) as portal:
            await portal.login()
            assert await portal.navigate("/jobs") == "Jobs · Practice portal (/jobs)"
        files = [path for path in (tmp_path / "logins").iterdir() if path.name != "key"]
        with capture_logs() as logs:
            files[0].write_bytes(b"no token at all")
            async with engine(definition, OPERATOR, saved(tmp_path, site.url)) as portal:
                with pytest.raises(SessionExpired):
                    await portal.jobs()
                await portal.login()
        assert [entry["event"] for entry in logs if entry["event"] == "saved_login_ignored"] == [
            "saved_login_ignored"
        ]
        assert logins(state) == 2
        site.stop()
    # With another database, in which no earlier cookie is valid.
    other_state = tmp_path / "other.sqlite"
    with portal_process(other_state, initial_jobs=1, port=int(site.url.rpartition(":")[2])):
        for _ in range(2):
            async with engine(definition, OPERATOR, saved(tmp_path, site.url)) as portal:
                await portal.login()
                assert len(await portal.jobs()) == 1
        assert logins(other_state) == 1


async def test_every_request_is_throttled(engine: Engine, state: Path):
    """Submitted forms and redirects count as requests."""
    with portal_process(state) as site:
        definition = PRACTICE.at(site.url)
        slow = replace(definition, politeness=Politeness(requests_per_second=4))
        async with engine(slow, OPERATOR, None) as portal:
            began = trio.current_time()
            await portal.login()  # the page, the form and its redirect
            await portal.jobs()
            await portal.jobs()
            assert trio.current_time() - began >= 1.0


async def test_consecutive_failures_pause_requests(engine: Engine, state: Path):
    """During the pause nothing is sent, so nothing is changed at the portal."""
    with portal_process(state, initial_jobs=1) as site:
        definition = replace(PRACTICE.at(site.url), politeness=Politeness(pause_after_errors=2))
        async with engine(definition, OPERATOR, None) as portal:
            await portal.login()
            ref = (await portal.jobs())[0].ref
            site.stop()
            for _ in range(2):
                with pytest.raises(PortalUnavailable):
                    await portal.jobs()
            with pytest.raises(PortalPaused):
                await portal.accept(ref)
