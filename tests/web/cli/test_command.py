"""`botvisor`: help, configuration errors, and the error if no instance is running."""

from __future__ import annotations

import re

import pytest

from .process import SECRET, botvisor, free_port, write_config


async def test_help_names_every_command(home: dict[str, str]):
    """--help lists them, without colour in a pipe."""
    result = await botvisor(home, "--help")
    assert result.code == 0
    for command in ("up", "check", "tree", "status", "watch", "tasks", "verify"):
        assert re.search(rf"\b{command}\b", result.out)
    assert "\x1b" not in result.out


async def test_version_is_one_line(home: dict[str, str]):
    """--version prints it and does nothing else."""
    result = await botvisor(home, "--version")
    assert result.code == 0
    assert re.fullmatch(r"botvisor .+\n", result.out)


async def test_an_unknown_option_is_a_usage_error(home: dict[str, str]):
    """Exit code 2, on standard error."""
    result = await botvisor(home, "tree", "--colour")
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize("command", ["up", "check", "tree", "status", "watch", "verify"])
async def test_every_command_rejects_an_invalid_configuration(home: dict[str, str], command: str):
    """One sentence on standard error, exit code 2."""
    result = await botvisor(home, command, "--set", "web.prot=1")
    assert (result.code, result.out) == (2, "")
    assert result.err == "botvisor: --set: unknown key web.prot; did you mean web.port?\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web\n", "line 1, column 5: invalid TOML: "),
        ("[web]\nport = 'x'\n", 'web.port = "x", expected a whole number from 0 to 65535'),
        ("[redis]\nulr = 'x'\n", "unknown key redis.ulr; did you mean redis.url?"),
        (
            f"[database]\nurl = 'mysql://u:{SECRET}@h'\n",
            'database.url = "mysql://u:***@h", expected "embedded" or',
        ),
    ],
)
async def test_up_rejects_an_invalid_file(home: dict[str, str], text: str, sentence: str):
    """The sentence names the file and the error, and shows no secret."""
    file = write_config(home, text)
    result = await botvisor(home, "up", "--config", str(file))
    assert result.code == 2
    assert result.err.startswith(f"botvisor: {file}: {sentence}")
    assert result.err.count("\n") == 1
    assert SECRET not in result.err


async def test_the_environment_is_read(home: dict[str, str]):
    """Common variable names and botvisor's own, by every command."""
    result = await botvisor(home | {"API_PORT": "high"}, "status")
    assert result.err == 'botvisor: API_PORT: web.port = "high", expected a whole number from 0 to 65535\n'
    assert result.code == 2


async def test_an_unknown_home_directory_is_reported(home: dict[str, str]):
    """As an invalid setting."""
    result = await botvisor(home, "check", "--data-dir", "~nobody-of-that-name/x")
    assert result.code == 2
    assert result.err.startswith("botvisor: runtime.data_dir: cannot be found: ")


@pytest.mark.parametrize("command", ["tree", "status", "watch"])
async def test_no_instance_is_one_sentence(home: dict[str, str], command: str):
    """Commands name the URL they tried, and exit with 1."""
    port = free_port()
    result = await botvisor(home, command, "--set", f"web.port={port}")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"botvisor: botvisor is not running: nothing answers at http://127.0.0.1:{port}\n"


async def test_no_instance_and_no_port_is_one_sentence(home: dict[str, str]):
    """Without a fixed port they name the data directory."""
    result = await botvisor(home, "tree", "--set", "web.port=0", "--data-dir", "here")
    assert result.code == 1
    assert result.err == f"botvisor: botvisor is not running on the data directory {home['HOME']}/here\n"
