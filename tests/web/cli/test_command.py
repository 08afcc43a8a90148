"""`botvisor` itself: its help, its configuration, and what it says where nothing runs."""

from __future__ import annotations

import re

import pytest

from .command import SECRET, botvisor, free_port, written


async def test_help_names_every_command(home: dict[str, str]):
    """--help tells what there is, without colour in a pipe."""
    ended = await botvisor(home, "--help")
    assert ended.code == 0
    for command in ("up", "check", "tree", "status", "watch", "tasks", "verify"):
        assert re.search(rf"\b{command}\b", ended.out)
    assert "\x1b" not in ended.out


async def test_version_is_one_line(home: dict[str, str]):
    """--version tells it and does nothing else."""
    ended = await botvisor(home, "--version")
    assert ended.code == 0
    assert re.fullmatch(r"botvisor .+\n", ended.out)


async def test_an_unknown_option_is_a_usage_error(home: dict[str, str]):
    """A wrong command line ends with 2, on standard error."""
    ended = await botvisor(home, "tree", "--colour")
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize("command", ["up", "check", "tree", "status", "watch", "verify"])
async def test_every_command_refuses_a_wrong_configuration(home: dict[str, str], command: str):
    """One sentence on standard error, exit code 2."""
    ended = await botvisor(home, command, "--set", "web.prot=1")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "botvisor: --set: unknown key web.prot; did you mean web.port?\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web\n", "line 1, column 5: not TOML: "),
        ("[web]\nport = 'x'\n", 'web.port = "x", expected a whole number from 0 to 65535'),
        ("[redis]\nulr = 'x'\n", "unknown key redis.ulr; did you mean redis.url?"),
        (
            f"[database]\nurl = 'mysql://u:{SECRET}@h'\n",
            'database.url = "mysql://u:***@h", expected "embedded" or',
        ),
    ],
)
async def test_up_refuses_a_wrong_file(home: dict[str, str], text: str, sentence: str):
    """The sentence names the file and what is wrong in it, and shows no secret."""
    file = written(home, text)
    ended = await botvisor(home, "up", "--config", str(file))
    assert ended.code == 2
    assert ended.err.startswith(f"botvisor: {file}: {sentence}")
    assert ended.err.count("\n") == 1
    assert SECRET not in ended.err


async def test_the_environment_is_read(home: dict[str, str]):
    """Common names and ours count for every command."""
    ended = await botvisor(home | {"API_PORT": "high"}, "status")
    assert ended.err == 'botvisor: API_PORT: web.port = "high", expected a whole number from 0 to 65535\n'
    assert ended.code == 2


async def test_a_home_that_is_not_there_is_told(home: dict[str, str]):
    """A data directory below an unknown home directory is a wrong setting."""
    ended = await botvisor(home, "check", "--data-dir", "~nobody-of-that-name/x")
    assert ended.code == 2
    assert ended.err.startswith("botvisor: runtime.data_dir: cannot be found: ")


@pytest.mark.parametrize("command", ["tree", "status", "watch"])
async def test_no_instance_is_one_sentence(home: dict[str, str], command: str):
    """Commands that look at an instance say where they looked, and end with 1."""
    port = free_port()
    ended = await botvisor(home, command, "--set", f"web.port={port}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"botvisor: botvisor is not running: nothing answers at http://127.0.0.1:{port}\n"


async def test_no_instance_and_no_port_is_one_sentence(home: dict[str, str]):
    """Without a fixed port only the data directory could tell."""
    ended = await botvisor(home, "tree", "--set", "web.port=0", "--data-dir", "here")
    assert ended.code == 1
    assert ended.err == f"botvisor: botvisor is not running on the data directory {home['HOME']}/here\n"
