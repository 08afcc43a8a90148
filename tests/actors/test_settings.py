"""Settings: layers, error messages, and secrets, which no message shows."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from actors.settings import (
    Settings,
    SettingsError,
    config_dir,
    is_loopback,
    load_settings,
    local_url,
    mask_url,
    portal_file,
    reachable_host,
)
from actors.settings.setting import Schema
from actors.settings.urls import has_password, is_database_url, is_origin, is_redis_url, with_password

DEFAULT = config_dir() / "default.toml"
SECRET = "hunter2-öß"


def load(*overrides: str, file: Path | None = None, **environ: str) -> Settings:
    return load_settings(file, environ, overrides)


def problem(*overrides: str, file: Path | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(*overrides, file=file, **environ)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def written(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# Defaults


def test_default_file_and_dataclasses_have_the_same_keys():
    """The same sections and keys, in the same order."""
    content = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    in_file = {section: list(keys) for section, keys in content.items()}
    in_code = {
        section.name: [field.name for field in fields(getattr(load(), section.name))]
        for section in fields(Settings)
    }
    assert in_file == in_code


def test_every_default_has_exactly_one_comment():
    """Each line with a key ends in one comment; other comments are only at the head of the file."""
    head, _, body = DEFAULT.read_text(encoding="utf-8").partition("\n\n")
    assert all(line.startswith("# ") for line in head.splitlines())
    for line in body.splitlines():
        if not line or re.fullmatch(r"\[\w+\]", line):
            continue
        cuts = [cut.start() for cut in re.finditer("#", line)]
        commented = [cut for cut in cuts if _is_toml(line[:cut])]
        assert commented, f"no comment: {line}"
        assert _is_toml(line[: commented[0]]), line
        assert line[commented[0] :].startswith("# "), line
        assert len(line[commented[0] :]) > 10, line


def _is_toml(text: str) -> bool:
    try:
        return len(tomllib.loads(text)) == 1
    except tomllib.TOMLDecodeError:
        return False


def test_defaults_alone_are_valid():
    """No setting is required."""
    settings = load()
    assert settings.database.url == settings.redis.url == "embedded"
    assert settings.web.port == 8000
    assert settings.web.allowed_origins == ()


def test_portal_file_takes_a_name_or_a_path():
    """A name refers to a file in config/portals; a .toml path is used as it is."""
    assert portal_file("practice") == config_dir() / "portals" / "practice.toml"
    assert portal_file("mine/own.toml") == Path("mine/own.toml")


def test_every_setting_describes_its_values():
    """In words, not with the names of Python types."""
    for setting in Schema().settings.values():
        assert re.match(r'(a |true or|")', setting.expected), setting


# Layers


def test_precedence_of_layers(tmp_path: Path):
    """Defaults, file, common environment variables, our own environment variables, --set."""
    file = written(tmp_path, "[web]\nport = 9001\nmax_clients = 7\n")
    assert load(file=file).web.port == 9001
    assert load(file=file, API_PORT="9002").web.port == 9002
    assert load(file=file, API_PORT="9002", BOTVISOR__WEB__PORT="9003").web.port == 9003
    both = load("web.port=9004", "web.port=9005", file=file, API_PORT="9002", BOTVISOR__WEB__PORT="9003")
    assert both.web.port == 9005
    assert both.web.max_clients == 7


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("DATABASE_URL", "postgresql://u@h/d", "database", "url", "postgresql://u@h/d"),
        ("DATABASE_URL", "postgresql+asyncpg://u@h/d", "database", "url", "postgresql://u@h/d"),
        ("DATABASE_URL", "postgresql+psycopg2://u@h/d", "database", "url", "postgresql://u@h/d"),
        ("REDIS_URL", "rediss://h:6380/1", "redis", "url", "rediss://h:6380/1"),
        ("ENVIRONMENT", "development", "runtime", "environment", "development"),
        ("API_HOST", "localhost", "web", "host", "localhost"),
        ("API_PORT", "3000", "web", "port", 3000),
        ("API_GATEWAY_PORT", "3000", "web", "port", 3000),
        ("API_PORT", "", "web", "port", 8000),
    ],
)
def test_common_environment_variables(variable: str, text: str, section: str, key: str, value: object):
    """An empty variable counts as unset."""
    assert getattr(getattr(load(**{variable: text}), section), key) == value


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("web.port=0", "web", "port", 0),
        (" web.port = 0 ", "web", "port", 0),
        ("backoff.factor=3", "backoff", "factor", 3.0),
        ("practice.enabled=false", "practice", "enabled", False),
        ("redis.key_prefix=123", "redis", "key_prefix", "123"),
        ("redis.key_prefix={bots}:", "redis", "key_prefix", "{bots}:"),
        ('redis.key_prefix="quoted"', "redis", "key_prefix", "quoted"),
        ("redis.key_prefix=", "redis", "key_prefix", ""),
        ("redis.key_prefix=a=b", "redis", "key_prefix", "a=b"),
        ("redis.key_prefix=1\n[web]\nport=2", "redis", "key_prefix", "1\n[web]\nport=2"),
        ("sessions.engine=http", "sessions", "engine", "http"),
        ('web.allowed_origins=["http://a:1"]', "web", "allowed_origins", ("http://a:1",)),
        ("web.token=123", "web", "token", SecretStr("123")),
    ],
)
def test_parsing_of_strings(override: str, section: str, key: str, value: object):
    """A string is parsed as TOML if that has the right type; otherwise it is used as it is."""
    found = getattr(getattr(load(override), section), key)
    assert found == value
    assert type(found) is type(value)


def test_a_file_with_a_byte_order_mark(tmp_path: Path):
    """The mark is ignored."""
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xef\xbb\xbf[web]\r\nport = 1\r\n")
    assert load(file=path).web.port == 1


# Error messages


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[web]\nport = 'x'", 'web.port = "x", expected a whole number from 0 to 65535'),
        ("[web]\nport = true", "web.port = true, expected a whole number from 0 to 65535"),
        ("[web]\nport = 8000.0", "web.port = 8000.0, expected a whole number from 0 to 65535"),
        ("[web]\nport = 65536", "web.port = 65536, expected a whole number from 0 to 65535"),
        ("[web]\nhost = ''", 'web.host = "", expected a string that is not empty'),
        ("[web]\nprot = 1", "unknown key web.prot; did you mean web.port?"),
        ("[web]\npool_size = 1", "unknown key web.pool_size; did you mean database.pool_size?"),
        ("[wbe]\nport = 1", "unknown section [wbe]; did you mean [web]?"),
        ("port = 1", "unknown key port; did you mean web.port?"),
        ("web = 1", "web = ***, expected a table [web]"),
        ("[[web]]\nport = 1", "web = ***, expected a table [web]"),
        ('"a\\nb" = 1', 'unknown key "a\\nb"; valid sections: '),
        ("[web.port]\nx = 1", "web.port = {…}, expected a whole number from 0 to 65535"),
        ("[runtime]\nlog_level = 'loud'", 'expected "debug" or "info" or "warning" or "error"'),
        ("[runtime]\nstop_timeout_seconds = inf", "expected a number above 0, at most 300"),
        ("[runtime]\nstop_timeout_seconds = nan", "expected a number above 0, at most 300"),
        ("[backoff]\njitter = 1.5", "backoff.jitter = 1.5, expected a number from 0 to 1"),
        ("[practice]\nenabled = 'yes'", 'practice.enabled = "yes", expected true or false'),
        ("[practice]\nenabled = 1979-05-27", 'practice.enabled = "1979-05-27", expected true or false'),
        ("[web]\nallowed_origins = [1]", "web.allowed_origins = [1], expected a list of strings"),
        ("[web\n", "line 1, column 5: invalid TOML: "),
        ("[web]\nport = ", "invalid TOML: Invalid value"),
        ("[web]\nport = 1\nport = 2\n", "line 3, column 9: invalid TOML: Cannot overwrite a value"),
    ],
)
def test_errors_in_a_file(tmp_path: Path, text: str, sentence: str):
    """One line with the file, and the key with its value or the position in the file."""
    path = written(tmp_path, text)
    found = problem(file=path)
    assert found.startswith(f"{path}: ")
    assert sentence in found


def test_unreadable_files(tmp_path: Path):
    """A missing file, a folder, and a binary file."""
    assert (
        problem(file=tmp_path / "no.toml")
        == f"{tmp_path / 'no.toml'}: cannot be read: No such file or directory"
    )
    assert problem(file=tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[web]\n\xff")
    assert problem(file=binary) == f"{binary}: not UTF-8 text: invalid byte at offset 6"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"API_PORT": "abc"}, 'API_PORT: web.port = "abc", expected a whole number from 0 to 65535'),
        (
            {"BOTVISOR__WEB__PORT": ""},
            'BOTVISOR__WEB__PORT: web.port = "", expected a whole number from 0 to 65535',
        ),
        ({"BOTVISOR__WEB__PROT": "1"}, "BOTVISOR__WEB__PROT: unknown key web.prot; did you mean web.port?"),
        ({"BOTVISOR__PORT": "1"}, "BOTVISOR__PORT: unknown key port; did you mean web.port?"),
        (
            {"ENVIRONMENT": "prod"},
            'ENVIRONMENT: runtime.environment = "prod", expected "development" or "production"',
        ),
        (
            {"DATABASE_URL": "mysql://h/d"},
            'DATABASE_URL: database.url = "mysql://h/d", expected "embedded" or',
        ),
    ],
)
def test_errors_in_the_environment(environ: dict[str, str], sentence: str):
    """The message names the variable."""
    assert problem(**environ).startswith(sentence)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("web.port", '--set: "web.port", expected section.key=value'),
        ("web.port=x", '--set: web.port = "x", expected a whole number from 0 to 65535'),
        ("practise.port=1", "--set: unknown key practise.port; did you mean practice.port?"),
        ("web.zzzz=1", "--set: unknown key web.zzzz; valid keys of [web]: host, port, token"),
        ("zzzz.zzzz=1", "--set: unknown key zzzz.zzzz; valid sections: runtime, backoff"),
        ("=1", '--set: unknown key ""'),
        ("web.port: 1", '--set: "web.port", expected section.key=value'),
        ("port", "--set: ***, expected section.key=value"),
    ],
)
def test_errors_in_overrides(override: str, sentence: str):
    """The message names --set and the key."""
    assert problem(override).startswith(sentence)


def test_replaced_values_are_validated(tmp_path: Path):
    """An error in a lower layer is reported even if a later layer replaces the value."""
    file = written(tmp_path, "[web]\nport = 'x'")
    assert "web.port" in problem("web.port=1", file=file)


# Rules between settings


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["web.host=0.0.0.0"],
            'web.host = "0.0.0.0", expected a loopback address such as 127.0.0.1, or a token',
        ),
        (["web.host=::"], 'web.host = "::", expected a loopback address'),
        (["web.host=example.org"], 'web.host = "example.org", expected a loopback address'),
        (
            ["runtime.environment=production"],
            "practice.enabled = true, expected false if runtime.environment",
        ),
        (
            ["backoff.maximum_seconds=0.1"],
            "backoff.maximum_seconds = 0.1, expected at least backoff.minimum_seconds",
        ),
        (
            ["monitor.stale_after_seconds=34"],
            "monitor.stale_after_seconds = 34.0, expected at least monitor.interval_seconds +"
            " monitor.timeout_seconds (35)",
        ),
        (["database.url=postgres"], 'database.url = "postgres", expected "embedded" or a URL such as'),
        (["redis.url=http://h"], 'redis.url = "http://h", expected "embedded" or a URL such as'),
        (["redis.url=redis://h:99999"], 'redis.url = "redis://h:99999", expected'),
        (["sessions.portal_url=portal"], 'sessions.portal_url = "portal", expected a URL such as'),
        (
            ['web.allowed_origins=["http://a/b"]'],
            'web.allowed_origins = ["http://a/b"], expected origins such as',
        ),
        (["web.token=a b"], "web.token = ***, expected visible ASCII characters only"),
        (["practice.port=8000"], "practice.port = 8000, expected a port other than web.port"),
    ],
)
def test_contradictory_settings_are_rejected(overrides: list[str], sentence: str):
    """The message names the setting to change."""
    assert sentence in problem(*overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["web.host=0.0.0.0", "web.token=x"],
        ["web.host=127.8.9.1"],
        ["web.host=::1"],
        ["runtime.environment=production", "practice.enabled=false"],
        ["database.url=host=/run/x dbname='a b'"],
        ["database.url=postgres://h1:1,h2:2/d?target_session_attrs=any"],
        ["redis.url=unix:///run/x.sock?db=0"],
        ["redis.url=rediss://[::1]:6380"],
        ["practice.port=8000", "practice.enabled=false"],
        ["practice.port=0", "web.port=0"],
        ["sessions.portal_url=https://portal.example"],
    ],
)
def test_consistent_settings_are_accepted(overrides: list[str]):
    """No rule rejects these."""
    load(*overrides)


# Secrets


def test_secrets_come_from_files(tmp_path: Path):
    """The content of the file is the secret, without the trailing newline."""
    path = written(tmp_path, f"{SECRET}\n", "secret")
    settings = load(
        f"sessions.password_file={path}",
        f"database.password_file={path}",
        f"redis.password_file={path}",
        "database.url=postgresql://me@db/name",
        "redis.url=redis://cache:6379/0",
        f"web.token_file={written(tmp_path, 'token', 'token')}",
    )
    assert settings.web.token.get_secret_value() == "token"
    assert settings.sessions.password.get_secret_value() == SECRET
    assert settings.database.url == "postgresql://me:hunter2-%C3%B6%C3%9F@db/name"
    assert settings.redis.url == "redis://:hunter2-%C3%B6%C3%9F@cache:6379/0"
    shown = f"{settings!r} {settings}"
    assert "hunter2" not in shown
    assert "'token'" not in shown


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "expected a readable file: No such file or directory"),
        (b"", "expected a non-empty file"),
        (b"\n \n", "expected a non-empty file"),
        (b"\xff", "expected a file of UTF-8 text"),
        (b"x" * 5000, "expected a file of at most 4096 bytes"),
    ],
)
def test_unusable_secret_files(tmp_path: Path, content: bytes | None, sentence: str):
    """The message has the file's name, not its content."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    assert problem(f"web.token_file={path}") == f'--set: web.token_file = "{path}", {sentence}'


def test_a_secret_set_twice_is_an_error(tmp_path: Path):
    """There is no precedence between a secret and its file."""
    path = written(tmp_path, "x", "secret")
    twice = problem(f"web.token_file={path}", BOTVISOR__WEB__TOKEN=SECRET)
    assert twice.endswith('expected "", because web.token is already set in BOTVISOR__WEB__TOKEN')
    in_url = problem(f"database.password_file={path}", DATABASE_URL=f"postgresql://u:{SECRET}@h/d")
    assert in_url.endswith('expected "", because database.url in DATABASE_URL already has a password')
    embedded = problem(f"redis.password_file={path}")
    assert embedded.endswith('expected "", because redis.url is "embedded", which needs no password')
    assert SECRET not in twice + in_url + embedded


@pytest.mark.parametrize(
    "override",
    [
        f"web.token={SECRET} with spaces",
        f"web.tokn={SECRET}",
        f"database.url=postgrsql://u:{SECRET}@h/d",
        f"database.url=postgrsql://u:pa/ss@{SECRET}@h/d",
        f"database.url=mysql://h/d?password={SECRET}",
        f"redis.url=redis://:{SECRET}@h:port",
        f"sessions.portal_url=ftp://u:{SECRET}@h",
        f'web.allowed_origins=["http://u:{SECRET}@h"]',
        f'web.allowed_origins=["http://a", "u:{SECRET}@h", 1]',
        f"database.url=u:{SECRET}@h:5432/d",
        f"database.url=postgresql:/u:{SECRET}@h/d",
        f"redis.url=:{SECRET}@h:6379",
        f"sessions.portal_url=https//u:{SECRET}@h",
        f"sessions.portal_url=ftp://h?key={SECRET}",
        f"sessions.portal_url=https://u:{SECRET}@h",
        f"practice.totp_secret={SECRET}",
        f"web.token:{SECRET}",
        SECRET,
    ],
)
def test_messages_show_no_secret(override: str):
    """Whatever is wrong with the override."""
    assert SECRET not in problem(override)


@pytest.mark.parametrize(
    "content",
    [
        f"[practice]\ntotp_secret = ['{SECRET}']",
        f"[practice]\npassword = ['{SECRET}']",
        f"[web]\ntoken = ['{SECRET}']",
        f"[sessions]\npassword = ['{SECRET}']",
        f"[redis]\nurl = ['me:{SECRET}@host']",
        f"web = '{SECRET}'",
        f"token = '{SECRET}'",
    ],
)
def test_messages_about_files_show_no_secret(tmp_path: Path, content: str):
    """Also if it has the wrong type or the wrong key."""
    assert SECRET not in problem(file=written(tmp_path, content))


def test_the_repr_shows_no_secret():
    """Settings may appear in tracebacks."""
    totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    settings = load(
        "web.token=hunter2",
        f"sessions.password={SECRET}",
        f"practice.password={SECRET}",
        f"practice.totp_secret={totp}",
        f"database.url=postgresql://u:{SECRET}@h/d",
        f"redis.url=redis://:{SECRET}@h",
    )
    assert settings.practice.totp_secret.get_secret_value() == totp
    assert settings.practice.password.get_secret_value() == SECRET
    assert "hunter2" not in repr(settings)
    assert totp not in repr(settings)


# URLs


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("embedded", "embedded"),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u:p/?#@q@h/d", "postgresql://u:***@h/d"),
        ("redis://:p@h/0", "redis://:***@h/0"),
        ("postgresql://h/d?user=u&password=p&x=1", "postgresql://h/d?user=u&password=***&x=1"),
        ("host=h password=p dbname=d", "host=h password=*** dbname=d"),
        (r"host=h password='p \' q' dbname=d", "host=h password=*** dbname=d"),
        ("password = p", "password = ***"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
    ],
)
def test_mask_url_hides_only_the_password(url: str, shown: str):
    """The rest of the URL is unchanged."""
    assert mask_url(url) == shown


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example("p@ss:w/rd?#&'\\ ")
@example("://")
def test_a_password_put_in_can_be_masked_again(password: str):
    """Any password is inserted whole, and masked whole."""
    for url in ("postgresql://me@db:5432/name?x=1", "postgresql:///name", "host=db user=me"):
        filled = with_password(url, password)
        assert has_password(filled)
        assert mask_url(filled) == mask_url(with_password(url, "other"))


def test_url_validation():
    """Only the form is validated; no host is resolved or connected."""
    assert is_database_url("dbname=x")
    assert is_database_url("options='-c a=b://c'")
    assert not is_database_url("mysql://h?a=b")
    assert not is_database_url("")
    assert is_redis_url("unix:///x")
    assert not is_redis_url("unix://")
    assert not is_redis_url("redis://")
    assert not is_redis_url("redis://[::1")
    assert is_origin("https://a.example")
    assert not is_origin("https://a.example/")
    assert not is_origin("*")
    assert is_loopback("LOCALHOST")
    assert is_loopback("[::1]")
    assert not is_loopback("")


@pytest.mark.parametrize(
    ("host", "reached", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:8000"),
        ("localhost", "localhost", "http://localhost:8000"),
        ("10.1.2.3", "10.1.2.3", "http://10.1.2.3:8000"),
        ("0.0.0.0", "127.0.0.1", "http://127.0.0.1:8000"),
        ("::", "::1", "http://[::1]:8000"),
        ("[::]", "::1", "http://[::1]:8000"),
        ("[::1]", "::1", "http://[::1]:8000"),
    ],
)
def test_local_urls(host: str, reached: str, url: str):
    """Wildcard addresses are replaced by loopback addresses."""
    assert reachable_host(host) == reached
    assert local_url(host, 8000) == url
