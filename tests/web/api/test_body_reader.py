from __future__ import annotations

from uuid import UUID

import pytest

from web.api.body_reader import BodyReader
from web.api.bot.models import StartBody
from web.api.bot.routes import bot_start_command
from web.api.configuration.models import ConfigurationChangesBody, NewConfigurationBody, RealtimeBody
from web.api.configuration.requests import READ_ONLY, configuration_changes
from web.api.realtime.routes import realtime_update
from web.api.sessions.models import NewSessionBody
from web.api.sessions.routes import start_command
from web.api.tasks.models import LimitBody, NewDataBody, NewTaskBody, PriorityBody, RetryRuleBody
from web.api.tasks.requests import new_data, new_priority, new_task, retry_rule, task_limit
from web.errors import Problem

from ...builders import configuration_row


@pytest.mark.parametrize(
    ("body", "read", "minimal"),
    [
        (StartBody, bot_start_command, {}),
        (NewSessionBody, start_command, {}),
        (RealtimeBody, realtime_update, {"type": "no_jobs"}),
        (NewConfigurationBody, configuration_changes, {}),
        (NewTaskBody, new_task, {"type": "login"}),
        (RetryRuleBody, retry_rule, {}),
        (NewDataBody, new_data, {}),
        (PriorityBody, new_priority, {"priority": 1}),
        (LimitBody, task_limit, {"name": "login"}),
    ],
)
def test_the_described_fields_are_the_ones_read(body, read, minimal):
    """The OpenAPI model lists exactly the accepted fields."""
    fields = BodyReader(minimal)
    read(fields)
    assert fields.known == body.__annotations__.keys()


def test_a_whole_configuration_can_be_sent_back():
    """Read-only fields are accepted beside the described ones."""
    fields = BodyReader({})
    configuration_changes(fields, of=configuration_row())
    assert fields.known == {*ConfigurationChangesBody.__annotations__, *READ_ONLY}


def test_null_counts_as_missing():
    """For every type of field."""
    fields = BodyReader(dict.fromkeys(("a", "b")))
    assert (
        fields.label("a", max_length=5)
        is fields.labels("a", max_items=1, max_length=5)
        is fields.text("a", max_length=5)
        is None
    )
    assert fields.flag("a") is fields.identifier("a") is fields.mapping("a") is fields.raw("a") is None
    assert (fields.integer("a", 3, minimum=1, maximum=5), fields.number("a", None, minimum=1, maximum=5)) == (
        3,
        None,
    )
    assert (fields.is_null("b"), fields.is_null("c")) == (True, False)


def test_good_values_are_parsed():
    """To the types of messages; labels are stripped."""
    fields = BodyReader(
        {"name": " Ada ", "names": ["a", " b"], "none": "", "on": False, "id": str(UUID(int=5)), "n": 0.125}
    )
    assert fields.label("name", max_length=5) == "Ada"
    assert fields.labels("names", max_items=2, max_length=2) == ("a", "b")
    assert fields.label("none", max_length=5, empty=True) == ""
    assert fields.flag("on") is False
    assert fields.identifier("id") == UUID(int=5)
    assert fields.number("n", None, minimum=0, maximum=1, decimals=3) == 0.125
    fields.finish()


@pytest.mark.parametrize("value", ["", "  ", "abcdef", 5, ["a"], "a\0b", "a\nb", "\ud800", False])
def test_an_invalid_label_is_rejected(value):
    """Control characters and surrogates cannot be stored."""
    with pytest.raises(Problem, match=r"^name must be a text of 1 to 5 printable characters, not "):
        BodyReader({"name": value}).label("name", max_length=5)
    with pytest.raises(Problem, match=r"^names must be a list of at most 2 texts, each of 1 to 5 printable"):
        BodyReader({"names": ["a", value]}).labels("names", max_items=2, max_length=5)


@pytest.mark.parametrize("value", ["", "x", 5, ["a"], {"a": 1}, True])
def test_an_invalid_uuid_is_rejected(value):
    """Of any type."""
    with pytest.raises(Problem, match=r"^id must be a UUID, not "):
        BodyReader({"id": value}).identifier("id")


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_an_invalid_boolean_is_rejected(value):
    """Numbers, too."""
    with pytest.raises(Problem, match=r"^on must be true or false, not "):
        BodyReader({"on": value}).flag("on")


def test_an_unknown_field_is_rejected_with_its_path():
    """And with the closest known field."""
    outer = BodyReader({"inner": {"nmae": 1}})
    inner = outer.nested("inner")
    inner.label("name", max_length=5)
    sentence = "^Unknown field `inner.nmae`; did you mean `name`\\?$"
    with pytest.raises(Problem, match=sentence) as raised:
        inner.finish()
    assert (raised.value.status, raised.value.code) == (422, "unknown_field")
