"""Commands find the instance, send the token, and recognise other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.services import open_data_dir, write_instance

from ..fake_instance import RESPONSES, fake_instance, instance_info
from ..process import SECRET, botvisor


async def test_the_instance_is_found_by_its_data_directory(home: dict[str, str]):
    """Whatever its port."""
    path = Path(home["HOME"], "data")
    with fake_instance(RESPONSES) as url, open_data_dir(path) as data_dir:
        write_instance(data_dir, instance_info(web_url=url))
        result = await botvisor(home, "status", "--data-dir", str(path))
    assert result.code == 0
    assert url in result.out


async def test_the_token_of_the_settings_is_sent(home: dict[str, str]):
    """A wrong one is reported in one sentence."""
    with fake_instance(RESPONSES, token=SECRET) as url:
        right = await botvisor(home | {"BOTVISOR__WEB__TOKEN": SECRET}, "tree", "--url", url)
        wrong = await botvisor(home, "tree", "--url", url)
    assert right.code == 0
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {url} refuses the token: ")


async def test_a_url_with_a_password_is_rejected(home: dict[str, str]):
    """Error sentences repeat the URL."""
    result = await botvisor(home, "tree", "--url", f"http://ada:{SECRET}@127.0.0.1:1")
    assert result.code == 2
    assert "expected a URL such as" in result.err
    assert SECRET not in result.err


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "/api/supervisor/status answered 404: Not Found"),
        ({"/api/supervisor/status": b"<html>"}, "/api/supervisor/status: unexpected response: not JSON"),
        ({"/api/supervisor/status": {"tree": {}}}, "unexpected response: tree."),
    ],
)
async def test_another_program_on_the_port_is_reported(
    home: dict[str, str], answers: dict[str, object], sentence: str
):
    """In one sentence."""
    with fake_instance(answers) as url:
        result = await botvisor(home, "tree", "--url", url)
    assert result.code == 1
    assert sentence in result.err
    assert result.err.count("\n") == 1
