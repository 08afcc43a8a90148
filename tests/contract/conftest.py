"""One running instance for each module of contract tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from actors.services import read_instance

from ..system.application import QUIET, TIME_LIMIT, Application

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A running instance with one session."""
    data_dir: Path = tmp_path_factory.mktemp("contract") / "data"
    process, log = Application.spawn(data_dir, *SETTINGS)
    try:
        ends = time.monotonic() + TIME_LIMIT
        while (instance := read_instance(data_dir)) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        yield Application(process, data_dir, log, instance, SETTINGS)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def client(application: Application) -> Iterator[httpx.Client]:
    """An HTTP client, once the session has accepted a job."""
    with httpx.Client(base_url=application.instance.web_url, timeout=20) as client:
        ends = time.monotonic() + TIME_LIMIT
        while not client.get("/api/bot/jobs", params={"status": "accepted"}).json():
            assert time.monotonic() < ends, application.log.read_text()
            time.sleep(0.1)
        if not client.get("/api/bot/status").json()["is_running"]:
            client.post("/api/bot/start").raise_for_status()
        yield client
