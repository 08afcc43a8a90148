"""One whole botvisor for all questions that change nothing that matters to the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from actors.services import read_instance

from ..system.application import HANG, QUIET, House

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house of its own for each module, with one session at work."""
    data_dir: Path = tmp_path_factory.mktemp("contract") / "data"
    process, log = House.spawn(data_dir, *SETTINGS)
    try:
        ends = time.monotonic() + HANG
        while (instance := read_instance(data_dir)) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
        yield House(process, data_dir, log, instance, SETTINGS)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def client(application: House) -> Iterator[httpx.Client]:
    """A client of the module's house, with one session on duty that has accepted a job."""
    with httpx.Client(base_url=application.instance.web_url, timeout=20) as client:
        ends = time.monotonic() + HANG
        while not client.get("/api/bot/jobs", params={"status": "accepted"}).json():
            assert time.monotonic() < ends, application.log.read_text()
            time.sleep(0.1)
        if not client.get("/api/bot/status").json()["is_running"]:
            client.post("/api/bot/start").raise_for_status()
        yield client
