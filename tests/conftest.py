"""Fixtures and hooks of all tests: Chromium, the marker ``server``, and a time limit for each file.

A test whose requirements the machine does not meet is skipped, or fails with ``REQUIRE_ALL=1``.
"""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path
from typing import Final, NoReturn

import pytest
from xdist.scheduler import LoadFileScheduling

from actors.portals.browser.chromium import find_chromium

FILE_LIMIT: Final = 1800.0
"""Seconds for all tests of one file; after that its process dumps all stacks and exits."""

SERVER_FIXTURES: Final = frozenset({"chromium", "postgres_dsn", "valkey_url"})
SERVER_FOLDERS: Final = (
    "tests/actors/portals",
    "tests/actors/practice",
    "tests/actors/services",
    "tests/browser",
    "tests/contract",
    "tests/system",
    "tests/web/cli",
    "tests/web/practice",
)
SERVER_CLASSES: Final = frozenset({"PostgresServer", "ValkeyServer"})
"""A test module that has one of them runs servers of its own."""


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of a Chromium."""
    found = find_chromium()
    if found is None:
        missing("there is no Chromium on PATH or in Playwright's folder")
    return found


def missing(reason: str) -> NoReturn:
    """Skip the running test, or fail it with ``REQUIRE_ALL=1``."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(HangDetector(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        names = SERVER_CLASSES.intersection(vars(item.getparent(pytest.Module).obj))
        if fixtures or names or item.nodeid.startswith(SERVER_FOLDERS):
            item.add_marker(pytest.mark.server)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, sched: LoadFileScheduling) -> None:
    """Mark a test whose process crashed as done, as xdist hands its whole file to the next process."""
    for tests in sched.workqueue.values():
        if crashitem in tests:
            tests[crashitem] = True


class HangDetector:
    """Ends a process whose test file takes longer than `FILE_LIMIT`; the report names the running test."""

    def __init__(self, config: pytest.Config) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture()
        # The real standard error: what pytest captures is lost when the process ends.
        self._stderr = os.dup(2)
        if capture is not None:
            capture.resume_global_capture()
        self._file = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Start the timer with the first test of a file, in the process that runs it."""
        file = item.nodeid.partition("::")[0]
        if file != self._file:
            self._file = file
            faulthandler.dump_traceback_later(FILE_LIMIT, exit=True, file=self._stderr)

    def pytest_unconfigure(self) -> None:
        """Cancel the timer."""
        faulthandler.cancel_dump_traceback_later()
        os.close(self._stderr)
