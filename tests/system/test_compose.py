"""Checks docker-compose.yml against the files of this repository and its settings."""

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
SECRET_VALUES = {"database_password": "a b@c/d%e:f", "web_token": "t0ken"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture
def settings(compose: dict[str, Any], tmp_path: Path) -> Settings:
    """The settings that botvisor loads from the service's environment."""
    environ = dict(compose["services"]["botvisor"]["environment"])
    for name, value in environ.items():
        if value.startswith(SECRETS):
            secret = value.removeprefix(SECRETS)
            file = tmp_path / secret
            file.write_text(f"{SECRET_VALUES[secret]}\n")
            environ[name] = str(file)
    return load_settings(None, environ, [])


@pytest.fixture
def script(compose: dict[str, Any]) -> str:
    """The shell script that botvisor's container runs."""
    shell, option, script = shlex.split(compose["services"]["botvisor"]["command"])
    assert (shell, option) == ("sh", "-c")
    return script


def test_services_use_only_what_is_declared(compose):
    """Secrets, volumes, and services with a health check; each secret's file stays out of git."""
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


def test_a_service_reads_only_its_own_secrets(compose):
    """And all of them."""
    for service in compose["services"].values():
        wanted = [
            value.removeprefix(SECRETS)
            for value in service.get("environment", {}).values()
            if value.startswith(SECRETS)
        ]
        assert sorted(wanted) == sorted(service.get("secrets", ()))


def test_the_environment_is_a_valid_configuration(settings):
    """Every variable names a setting."""
    assert settings.web.host == settings.practice.host == "0.0.0.0"
    assert settings.web.token.get_secret_value() == SECRET_VALUES["web_token"]


def test_botvisor_uses_the_database_service(compose, settings):
    """With its host, role, database and password."""
    address = urlsplit(settings.database.url)
    service = compose["services"][address.hostname]
    assert service["image"].startswith("postgres:")
    assert service["environment"] == {
        "POSTGRES_USER": address.username,
        "POSTGRES_DB": address.path.removeprefix("/"),
        "POSTGRES_PASSWORD_FILE": f"{SECRETS}database_password",
    }
    assert unquote(address.password or "") == SECRET_VALUES["database_password"]
    assert service["healthcheck"]["test"].split() == [
        "pg_isready",
        *("-U", address.username),
        *("-d", address.path.removeprefix("/")),
    ]


def test_botvisor_uses_the_redis_service(compose, settings):
    """Which does not evict keys."""
    service = compose["services"][urlsplit(settings.redis.url).hostname]
    assert "--maxmemory-policy noeviction" in service["command"]


def test_the_ports_are_those_of_the_servers(compose, settings):
    """Published on the loopback address only."""
    pairs = [port.rsplit(":", 1) for port in compose["services"]["botvisor"]["ports"]]
    assert {int(inside) for _, inside in pairs} == {settings.web.port, settings.practice.port}
    assert all(outside.startswith("127.0.0.1:") for outside, _ in pairs)


def test_the_script_is_valid_and_finds_its_files(compose, script):
    """Its syntax is correct, its files are in the checkout, and its data is on a volume."""
    subprocess.run(["sh", "-n", "-c", script], check=True, timeout=10)
    volumes = dict(volume.split(":")[:2] for volume in compose["services"]["botvisor"]["volumes"])
    assert volumes["."] in shlex.split(script)
    for file in re.findall(r"&& sh (\S+)", script):
        assert (ROOT / file).is_file()
    assert re.search(r"exec \.venv/bin/botvisor up --data-dir (\S+)$", script)[1] == volumes["data"]


def test_the_script_copies_the_checkout_without_local_files(script, tmp_path):
    """A second start works, and keeps the .venv of the first."""
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
