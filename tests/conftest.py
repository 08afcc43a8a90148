"""What tests need from the machine: where it is missing they are skipped, or fail where ``REQUIRE_ALL=1``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from actors.portals.browser.chromium import find_chromium


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A Chromium to drive."""
    found = find_chromium()
    if found is None:
        missing("no Chromium was found on PATH or where Playwright keeps its own")
    return found


def missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)
