from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.portals import DefinitionError, JobOutcome, PageChanged, UnknownStatus, load_definition

PRACTICE = Path(__file__).parents[4] / "config" / "portals" / "practice.toml"
ADDRESS = 'base_url = "http://127.0.0.1:8001"'


def test_the_practice_definition_is_valid():
    """The definition that ships with botvisor loads."""
    definition = load_definition(PRACTICE)
    assert definition.name == "practice"
    assert definition.url(definition.jobs.path) == "http://127.0.0.1:8001/jobs"


def test_a_definition_with_another_base_url():
    """Only the URL changes; an invalid URL is an error."""
    definition = load_definition(PRACTICE)
    moved = definition.at("https://portal.example")
    assert moved.url("/jobs") == "https://portal.example/jobs"
    assert moved.login is definition.login
    with pytest.raises(DefinitionError) as caught:
        definition.at("portal.example")
    assert str(caught.value).startswith("portal practice: base_url = 'portal.example', expected a URL")
    with pytest.raises(DefinitionError, match=r"base_url = 'http://me:\*\*\*@host/', expected a URL"):
        definition.at("http://me:hunter2@host/")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("open", JobOutcome.OPEN), (" Accepted ", JobOutcome.ACCEPTED), ("held", None), ("", None)],
)
def test_status_words_are_read_without_regard_to_case(word, meaning):
    """Surrounding space is ignored, too."""
    assert load_definition(PRACTICE).outcome_of(word) is meaning


def test_an_unmapped_status_is_a_changed_page():
    """A status word that `[outcomes]` lacks raises `UnknownStatus`."""
    sentence = r"^page /results has changed: its status 'held' is missing from \[outcomes\]$"
    with pytest.raises(UnknownStatus, match=sentence) as caught:
        load_definition(PRACTICE).result_outcome(" held ")
    assert isinstance(caught.value, PageChanged)
    assert (caught.value.page, caught.value.selector, caught.value.word) == ("/results", "td.status", "held")


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ('row = "table#jobs tbody tr"', 'rwo = "tr"', 'unknown key jobs.rwo; did you mean row?'),
        ('name = "practice"', "colour = 1", "unknown key colour; valid keys: name, base_url"),
        ('status = "td.status"', "", "jobs.fields.status is missing"),
        ('name = "practice"', "", "name is missing"),
        ('name = "practice"', 'name = " "', "name = ' ', expected a non-empty string"),
        ("timeout_seconds = 10.0", "timeout_seconds = true", "timeout_seconds = True, expected a valid"),
        ("timeout_seconds = 10.0", "timeout_seconds = '9'", "timeout_seconds = '9', expected a valid"),
        ("timeout_seconds = 10.0", "timeout_seconds = 0", "timeout_seconds = 0, expected greater than 0"),
        ("timeout_seconds = 10.0", "timeout_seconds = inf", "timeout_seconds = inf, expected less than"),
        ('path = "/jobs"', 'path = "jobs"', "jobs.path = 'jobs', expected a path that starts with"),
        ('form = "form#login"', 'form = "form["', "login.form = 'form[', expected a CSS selector"),
        ('form = "form#login"', "form = 3", "login.form = 3, expected a valid string"),
        (ADDRESS, 'base_url = "ftp://x"', "base_url = 'ftp://x', expected"),
        (ADDRESS, 'base_url = "http://x:y"', "base_url = 'http://x:y', expected"),
        (ADDRESS, 'base_url = "http://x/"', "base_url = 'http://x/', expected"),
        (ADDRESS, 'base_url = "http://u:hunter2@x/"', "base_url = 'http://u:***@x/', expected"),
        (ADDRESS, 'base_url = "http://u:hunter2@x"', "base_url = 'http://u:***@x', expected"),
        ('taken = "taken"', 'gone = "gone"', "outcomes.gone = 'gone', expected 'open', 'accepted'"),
        ("[expired]", "[exprd]", 'unknown key exprd; did you mean expired?'),
        ('[accept]\n', '[[accept]]\n', "accept = [{"),
        ("[outcomes]", "[outcomes", "invalid TOML: "),
        ('ref = "td.ref"', 'ref = ""', "jobs.fields.ref = '', expected a non-empty string"),
        ('totp_field = "code"', 'totp_field = ""', "login.totp_field = '', expected the name of the field"),
        ("statuses = []", "statuses = [1000]", "expired.statuses.0 = 1000, expected less than or equal"),
        ("paths = []", 'paths = ["bye"]', "expired.paths.0 = 'bye', expected a path that starts with"),
        ("requests_per_second = 0.0", "requests_per_second = -1", "requests_per_second = -1, expected"),
        ('working_hours = ""', 'working_hours = "9 to 5"', "working_hours = '9 to 5', expected hours such"),
        ('timezone = "UTC"', 'timezone = "Berlin"', "politeness.timezone = 'Berlin', expected a time zone"),
        ("pause_seconds = 60.0", "pause_seconds = 0", "politeness.pause_seconds = 0, expected"),
        ("# [credentials]", "[credentials]\nuser = 1", 'unknown key credentials.user; did you'),
    ],
)  # fmt: skip
def test_errors_of_a_definition(tmp_path, line, instead, sentence):
    """The message names the file, the key, its value and what is expected, on one line."""
    content = PRACTICE.read_text()
    assert line in content
    path = tmp_path / "portal.toml"
    path.write_text(content.replace(line, instead, 1))
    with pytest.raises(DefinitionError) as caught:
        load_definition(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_an_error(tmp_path):
    """A missing file and one that is not UTF-8 have different messages."""
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        load_definition(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="not UTF-8 text"):
        load_definition(tmp_path / "bad.toml")


@pytest.mark.parametrize("literal", ["hunter2", "env:", "file:relative", "ENV:NAME"])
def test_a_literal_secret_is_rejected_without_showing_it(tmp_path, literal):
    """Only references are valid."""
    path = tmp_path / "portal.toml"
    path.write_text(PRACTICE.read_text() + f'\n[credentials]\npassword = "{literal}"\n')
    with pytest.raises(DefinitionError) as caught:
        load_definition(path)
    assert str(caught.value) == (
        f"{path}: credentials.password = ***,"
        ' expected a reference such as "env:NAME" or "file:/path", not the secret itself'
    )


def test_a_totp_secret_needs_a_field(tmp_path):
    """A code that can never be submitted is an error at load time."""
    content = PRACTICE.read_text().replace('totp_field = "code"', "").replace('totp_form = "form#code"', "")
    path = tmp_path / "portal.toml"
    path.write_text(content + '\n[credentials]\ntotp_secret = "env:T"\n')
    with pytest.raises(DefinitionError, match=r"login\.totp_field = '', expected the field for the codes"):
        load_definition(path)


def test_credentials_and_politeness_are_optional(tmp_path):
    """A definition without these sections is valid."""
    path = tmp_path / "portal.toml"
    path.write_text(PRACTICE.read_text().partition("[politeness]")[0])
    definition = load_definition(path)
    assert definition == load_definition(PRACTICE)
    assert definition.politeness.hours() is None


def test_login_urls():
    """The login path and the paths in `[expired]`; the query is ignored."""
    definition = load_definition(PRACTICE)
    more = replace(definition, expired=replace(definition.expired, paths=("/bye",)))
    assert definition.is_login_url("http://127.0.0.1:8001/login?next=/jobs")
    assert not definition.is_login_url("http://127.0.0.1:8001/bye")
    assert more.is_login_url("http://127.0.0.1:8001/bye")


def test_without_a_status_selector_every_job_is_open():
    """Such a table has open jobs only."""
    definition = load_definition(PRACTICE)
    fields = replace(definition.jobs.fields, status="")
    assert definition.job_outcome("") is None
    assert (
        replace(definition, jobs=replace(definition.jobs, fields=fields)).job_outcome("") is JobOutcome.OPEN
    )
