"""Opens either engine by its name, for tests that run with both."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path

from actors.portals import Credentials, PortalDefinition
from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_portal import open_browser_portal
from actors.portals.http.http_portal import open_http_portal
from actors.portals.login_store import SavedLogin
from actors.portals.portal import ReadablePortal
from runtime import Address
from runtime.testing import run_actor

ENGINES = ("http", "browser")

Engine = Callable[
    [PortalDefinition, Credentials, SavedLogin | None], AbstractAsyncContextManager[ReadablePortal]
]
"""Opens a portal for one session."""


@asynccontextmanager
async def open_engine(name: str, chromium: Path, folder: Path) -> AsyncGenerator[Engine, None]:
    """Return the engine, with the browser host that it needs."""
    if name == "http":
        yield open_http_portal
        return
    address: Address[BrowserQuery] = Address("browser_host")
    start = partial(BrowserHost, executable=chromium, run_dir=folder / "browser")
    async with run_actor(start, address):
        yield lambda definition, credentials, saved: open_browser_portal(
            definition, credentials, address, saved
        )


def expire_logins(state_file: Path) -> None:
    """Expire every login at the practice portal."""
    with closing(sqlite3.connect(state_file, isolation_level=None, timeout=5)) as connection:
        connection.execute("UPDATE sessions SET began_at = -1e9")


def logins(state_file: Path) -> int:
    """Return the number of valid logins at the practice portal."""
    with closing(sqlite3.connect(f"file:{state_file}?mode=ro", uri=True, timeout=5)) as connection:
        return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
