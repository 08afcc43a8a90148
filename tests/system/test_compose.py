"""What docker-compose.yml says, held against what is in this repository and what its settings take."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from actors.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
SECRETS = "/run/secrets/"
SAID = {"database_password": "a b@c/d%e:f", "web_token": "t0ken"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture
def settings(compose: dict[str, Any], tmp_path: Path) -> Settings:
    """What botvisor makes of its environment there."""
    environ = dict(compose["services"]["botvisor"]["environment"])
    for name, value in environ.items():
        if value.startswith(SECRETS):
            secret = value.removeprefix(SECRETS)
            file = tmp_path / secret
            file.write_text(f"{SAID[secret]}\n")
            environ[name] = str(file)
    return load_settings(None, environ, [])


@pytest.fixture
def script(compose: dict[str, Any]) -> str:
    """The shell script that the container of botvisor runs."""
    shell, option, script = shlex.split(compose["services"]["botvisor"]["command"])
    assert (shell, option) == ("sh", "-c")
    return script


def test_what_a_service_uses_is_declared(compose):
    """Secrets, volumes, and services that tell when they are there; each secret's file stays out of git."""
    ignored = (ROOT / ".gitignore").read_text().split()
    for service in compose["services"].values():
        for secret in service.get("secrets", ()):
            folder = Path(compose["secrets"][secret]["file"]).parent
            assert f"{folder}/" in ignored
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_dir()
        for other in service.get("depends_on", ()):
            assert "healthcheck" in compose["services"][other]


def test_a_secret_is_read_where_it_is_given(compose):
    """No service looks for one that it was not given."""
    for service in compose["services"].values():
        wanted = [
            value.removeprefix(SECRETS)
            for value in service.get("environment", {}).values()
            if value.startswith(SECRETS)
        ]
        assert sorted(wanted) == sorted(service.get("secrets", ()))


def test_its_environment_is_one_that_botvisor_takes(settings):
    """Every variable names a setting, and together they are a configuration."""
    assert settings.web.host == settings.practice.host == "0.0.0.0"
    assert settings.web.token.get_secret_value() == SAID["web_token"]


def test_botvisor_is_told_of_the_database_beside_it(compose, settings):
    """Host, role, database and password are those of the service."""
    address = urlsplit(settings.database.url)
    service = compose["services"][address.hostname]
    assert service["image"].startswith("postgres:")
    assert service["environment"] == {
        "POSTGRES_USER": address.username,
        "POSTGRES_DB": address.path.removeprefix("/"),
        "POSTGRES_PASSWORD_FILE": f"{SECRETS}database_password",
    }
    assert unquote(address.password or "") == SAID["database_password"]
    assert service["healthcheck"]["test"].split() == [
        "pg_isready",
        *("-U", address.username),
        *("-d", address.path.removeprefix("/")),
    ]


def test_botvisor_is_told_of_the_redis_beside_it(compose, settings):
    """And that one drops no keys."""
    service = compose["services"][urlsplit(settings.redis.url).hostname]
    assert "--maxmemory-policy noeviction" in service["command"]


def test_the_ports_lead_to_our_servers(compose, settings):
    """Only from the machine itself."""
    pairs = [port.rsplit(":", 1) for port in compose["services"]["botvisor"]["ports"]]
    assert {int(inside) for _, inside in pairs} == {settings.web.port, settings.practice.port}
    assert all(outside.startswith("127.0.0.1:") for outside, _ in pairs)


def test_its_script_is_one_and_finds_its_files(compose, script):
    """The shell can read it, what it runs is in the checkout, and what it keeps is on a volume."""
    subprocess.run(["sh", "-n", "-c", script], check=True, timeout=10)
    volumes = dict(volume.split(":")[:2] for volume in compose["services"]["botvisor"]["volumes"])
    assert volumes["."] in shlex.split(script)
    for file in re.findall(r"&& sh (\S+)", script):
        assert (ROOT / file).is_file()
    assert re.search(r"exec \.venv/bin/botvisor up --data-dir (\S+)$", script)[1] == volumes["data"]


def test_its_script_brings_the_checkout_and_not_what_is_ours_alone(script, tmp_path):
    """A second start over the first works, and keeps the .venv that the first has made."""
    (copy,) = re.findall(r"tar -C /src .* \| tar -xf -", script)
    source, home = tmp_path / "src", tmp_path / "home"
    for file in (".ci/setup", ".git/config", ".venv/made_there", "secrets/web_token", "web/__init__.py"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text("")
    home.mkdir()
    for _ in range(2):
        subprocess.run(copy.replace("/src", str(source)), shell=True, cwd=home, check=True, timeout=10)
        (home / ".venv").mkdir(exist_ok=True)
        (home / ".venv" / "made_here").write_text("")
    assert sorted(str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()) == [
        ".ci/setup",
        ".venv/made_here",
        "web/__init__.py",
    ]
