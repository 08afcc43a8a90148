from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.portals import DefinitionError, Outcome, PageChanged, UnknownStatus, load_definition

PRACTICE = Path(__file__).parents[4] / "config" / "portals" / "practice.toml"
ADDRESS = 'base_url = "http://127.0.0.1:8001"'


def test_the_practice_definition_loads():
    """The definition that is delivered is a good one."""
    definition = load_definition(PRACTICE)
    assert definition.name == "practice"
    assert definition.url(definition.jobs.path) == "http://127.0.0.1:8001/jobs"


def test_a_definition_can_be_moved_to_another_address():
    """Everything but the address stays, and a wrong address is refused in a sentence."""
    definition = load_definition(PRACTICE)
    moved = definition.at("https://portal.example")
    assert moved.url("/jobs") == "https://portal.example/jobs"
    assert moved.login is definition.login
    with pytest.raises(DefinitionError) as caught:
        definition.at("portal.example")
    assert str(caught.value).startswith("portal practice: base_url is 'portal.example', expected an address")
    with pytest.raises(DefinitionError, match=r"base_url is 'http://me:\*\*\*@host/', expected an address"):
        definition.at("http://me:hunter2@host/")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("open", Outcome.OPEN), (" Accepted ", Outcome.ACCEPTED), ("held", None), ("", None)],
)
def test_status_words_are_read_without_regard_to_case(word, meaning):
    """A word means what the definition says, or nothing."""
    assert load_definition(PRACTICE).outcome_of(word) is meaning


def test_a_result_that_nobody_defined_is_a_changed_page():
    """A status word of the results page that the definition lacks is not guessed at."""
    sentence = r"^/results has changed: \[outcomes\] does not say what its status 'held' means$"
    with pytest.raises(UnknownStatus, match=sentence) as caught:
        load_definition(PRACTICE).result_of(" held ")
    assert isinstance(caught.value, PageChanged)
    assert (caught.value.page, caught.value.selector, caught.value.word) == ("/results", "td.status", "held")


@pytest.mark.parametrize(
    ("line", "instead", "sentence"),
    [
        ('row = "table#jobs tbody tr"', 'rwo = "tr"', 'jobs.rwo is an unknown key, did you mean "row"?'),
        ('name = "practice"', "colour = 1", "colour is an unknown key, expected one of name, base_url"),
        ('status = "td.status"', "", "jobs.fields.status is missing"),
        ('name = "practice"', "", "name is missing"),
        ('name = "practice"', 'name = " "', "name is ' ', expected a text that is not empty"),
        ("timeout_seconds = 10.0", "timeout_seconds = true", "timeout_seconds is True, expected a valid"),
        ("timeout_seconds = 10.0", "timeout_seconds = '9'", "timeout_seconds is '9', expected a valid"),
        ("timeout_seconds = 10.0", "timeout_seconds = 0", "timeout_seconds is 0, expected greater than 0"),
        ("timeout_seconds = 10.0", "timeout_seconds = inf", "timeout_seconds is inf, expected less than"),
        ('path = "/jobs"', 'path = "jobs"', "jobs.path is 'jobs', expected a path that begins with"),
        ('form = "form#login"', 'form = "form["', "login.form is 'form[', expected a CSS selector"),
        ('form = "form#login"', "form = 3", "login.form is 3, expected a valid string"),
        (ADDRESS, 'base_url = "ftp://x"', "base_url is 'ftp://x', expected"),
        (ADDRESS, 'base_url = "http://x:y"', "base_url is 'http://x:y', expected"),
        (ADDRESS, 'base_url = "http://x/"', "base_url is 'http://x/', expected"),
        (ADDRESS, 'base_url = "http://u:hunter2@x/"', "base_url is 'http://u:***@x/', expected"),
        (ADDRESS, 'base_url = "http://u:hunter2@x"', "base_url is 'http://u:***@x', expected"),
        ('taken = "taken"', 'gone = "gone"', "outcomes.gone is 'gone', expected 'open', 'accepted'"),
        ("[expired]", "[exprd]", 'exprd is an unknown key, did you mean "expired"?'),
        ('[accept]\n', '[[accept]]\n', "accept is [{"),
        ("[outcomes]", "[outcomes", "is not TOML: "),
        ('ref = "td.ref"', 'ref = ""', "jobs.fields.ref is '', expected a text that is not empty"),
        ('totp_field = "code"', 'totp_field = ""', "login.totp_field is '', expected the name of the field"),
        ("statuses = []", "statuses = [1000]", "expired.statuses.0 is 1000, expected less than or equal"),
        ("paths = []", 'paths = ["bye"]', "expired.paths.0 is 'bye', expected a path that begins with"),
        ("requests_per_second = 0.0", "requests_per_second = -1", "requests_per_second is -1, expected"),
        ('working_hours = ""', 'working_hours = "9 to 5"', "working_hours is '9 to 5', expected hours like"),
        ('timezone = "UTC"', 'timezone = "Berlin"', "politeness.timezone is 'Berlin', expected the name of"),
        ("pause_seconds = 60.0", "pause_seconds = 0", "politeness.pause_seconds is 0, expected"),
        ("# [credentials]", "[credentials]\nuser = 1", 'credentials.user is an unknown key, did'),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused_in_a_sentence(tmp_path, line, instead, sentence):
    """The sentence names the file, the key, its value and what was expected."""
    content = PRACTICE.read_text()
    assert line in content
    path = tmp_path / "portal.toml"
    path.write_text(content.replace(line, instead, 1))
    with pytest.raises(DefinitionError) as caught:
        load_definition(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(tmp_path):
    """A missing file and one that is no text are told apart."""
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        load_definition(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="is not UTF-8 text"):
        load_definition(tmp_path / "bad.toml")


@pytest.mark.parametrize("literal", ["hunter2", "env:", "file:relative", "ENV:NAME"])
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path, literal):
    """Only a reference is taken, and what stands in its place may be the secret itself."""
    path = tmp_path / "portal.toml"
    path.write_text(PRACTICE.read_text() + f'\n[credentials]\npassword = "{literal}"\n')
    with pytest.raises(DefinitionError) as caught:
        load_definition(path)
    assert str(caught.value) == (
        f"{path}: credentials.password is no reference,"
        ' expected a reference like "env:NAME" or "file:/path", never the secret itself'
    )


def test_a_secret_without_a_field_for_its_codes_is_refused(tmp_path):
    """A second factor that could never be given is told at once."""
    content = PRACTICE.read_text().replace('totp_field = "code"', "").replace('totp_form = "form#code"', "")
    path = tmp_path / "portal.toml"
    path.write_text(content + '\n[credentials]\ntotp_secret = "env:T"\n')
    with pytest.raises(DefinitionError, match=r"login\.totp_field is '', expected a field for the codes"):
        load_definition(path)


def test_credentials_and_politeness_may_be_left_out(tmp_path):
    """What was a definition before there were these is one still."""
    path = tmp_path / "portal.toml"
    path.write_text(PRACTICE.read_text().partition("[politeness]")[0])
    definition = load_definition(path)
    assert definition == load_definition(PRACTICE)
    assert definition.politeness.hours() is None


def test_where_those_signed_out_are_sent():
    """To the login path, or to another that the definition names; a query makes no difference."""
    definition = load_definition(PRACTICE)
    more = replace(definition, expired=replace(definition.expired, paths=("/bye",)))
    assert definition.is_login("http://127.0.0.1:8001/login?next=/jobs")
    assert not definition.is_login("http://127.0.0.1:8001/bye")
    assert more.is_login("http://127.0.0.1:8001/bye")


def test_a_table_without_status_words_holds_open_jobs():
    """Where the definition names no place for the status, every row is open."""
    definition = load_definition(PRACTICE)
    fields = replace(definition.jobs.fields, status="")
    assert definition.status_of("") is None
    assert replace(definition, jobs=replace(definition.jobs, fields=fields)).status_of("") is Outcome.OPEN
