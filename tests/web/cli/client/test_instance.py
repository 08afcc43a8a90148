"""How the commands find an instance, show it their token, and tell another program from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.services import open_data_dir, write_instance

from ..command import SECRET, botvisor
from ..site import ANSWERS, instance, site


async def test_the_data_directory_tells_where_the_instance_is(home: dict[str, str]):
    """A running instance is found by its data directory, whatever its port."""
    path = Path(home["HOME"], "data")
    with site(ANSWERS) as url, open_data_dir(path) as data_dir:
        write_instance(data_dir, instance(web_url=url))
        ended = await botvisor(home, "status", "--data-dir", str(path))
    assert ended.code == 0
    assert url in ended.out


async def test_the_token_is_shown_to_the_instance(home: dict[str, str]):
    """The token of the settings goes along; a wrong one is told in one sentence."""
    with site(ANSWERS, token=SECRET) as url:
        right = await botvisor(home | {"BOTVISOR__WEB__TOKEN": SECRET}, "tree", "--url", url)
        wrong = await botvisor(home, "tree", "--url", url)
    assert right.code == 0
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {url} refuses the token: ")


async def test_an_address_with_a_password_is_refused(home: dict[str, str]):
    """It would be told in every sentence about the instance."""
    ended = await botvisor(home, "tree", "--url", f"http://ada:{SECRET}@127.0.0.1:1")
    assert ended.code == 2
    assert "expected an address such as" in ended.err
    assert SECRET not in ended.err


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "/api/supervisor/status answered 404: Not Found"),
        ({"/api/supervisor/status": b"<html>"}, "no JSON at /api/supervisor/status"),
        ({"/api/supervisor/status": {"tree": {}}}, "did not answer as botvisor would: tree."),
    ],
)
async def test_another_program_on_our_port_is_told(
    home: dict[str, str], answers: dict[str, object], sentence: str
):
    """Whatever else answers there is not taken for botvisor."""
    with site(answers) as url:
        ended = await botvisor(home, "tree", "--url", url)
    assert ended.code == 1
    assert sentence in ended.err
    assert ended.err.count("\n") == 1
