from __future__ import annotations

from uuid import UUID

import pytest

from web.api.body_reader import BodyReader
from web.api.bot.models import StartBody
from web.api.configuration.models import ConfigurationChanges, NewConfiguration, RealtimeBody
from web.api.configuration.requests import READ_ONLY, configuration_changes
from web.api.realtime.routes import realtime_update
from web.api.sessions.models import NewSessionBody
from web.api.sessions.requests import one_more_session, the_session
from web.api.tasks.models import LimitBody, NewDataBody, NewTaskBody, PriorityBody, RetryRuleBody
from web.api.tasks.requests import new_data, new_priority, new_task, retry_rule, task_limit
from web.errors import Problem

from ..parts.views import configuration_row


@pytest.mark.parametrize(
    ("body", "read", "least"),
    [
        (StartBody, the_session, {}),
        (NewSessionBody, one_more_session, {}),
        (RealtimeBody, realtime_update, {"type": "no_jobs"}),
        (NewConfiguration, configuration_changes, {}),
        (NewTaskBody, new_task, {"type": "login"}),
        (RetryRuleBody, retry_rule, {}),
        (NewDataBody, new_data, {}),
        (PriorityBody, new_priority, {"priority": 1}),
        (LimitBody, task_limit, {"name": "login"}),
    ],
)
def test_what_is_described_is_what_is_read(body, read, least):
    """No field is in the docs that would be refused, and none is taken that is not in the docs."""
    fields = BodyReader(least)
    read(fields)
    assert fields.known == body.__annotations__.keys()


def test_a_configuration_may_be_sent_back_whole():
    """The fields that cannot be changed are taken beside those that are described."""
    fields = BodyReader({})
    configuration_changes(fields, of=configuration_row())
    assert fields.known == {*ConfigurationChanges.__annotations__, *READ_ONLY}


def test_null_is_left_out():
    """Of every kind of field."""
    fields = BodyReader(dict.fromkeys(("a", "b")))
    assert (
        fields.label("a", most=5) is fields.labels("a", count=1, most=5) is fields.text("a", most=5) is None
    )
    assert fields.flag("a") is fields.identifier("a") is fields.mapping("a") is fields.anything("a") is None
    assert (fields.whole("a", 3, least=1, most=5), fields.number("a", None, least=1, most=5)) == (3, None)
    assert (fields.is_null("b"), fields.is_null("c")) == (True, False)


def test_good_values_are_parsed():
    """To the types that messages want; of a label the spaces around it are nobody's."""
    fields = BodyReader(
        {"name": " Ada ", "names": ["a", " b"], "none": "", "on": False, "id": str(UUID(int=5)), "n": 0.125}
    )
    assert fields.label("name", most=5) == "Ada"
    assert fields.labels("names", count=2, most=2) == ("a", "b")
    assert fields.label("none", most=5, empty=True) == ""
    assert fields.flag("on") is False
    assert fields.identifier("id") == UUID(int=5)
    assert fields.number("n", None, least=0, most=1, decimals=3) == 0.125
    fields.end()


@pytest.mark.parametrize("value", ["", "  ", "abcdef", 5, ["a"], "a\0b", "a\nb", "\ud800", False])
def test_what_is_no_label_is_refused(value):
    """Control characters and halves of characters cannot be stored."""
    with pytest.raises(Problem, match=r"^name must be a text of 1 to 5 printable characters, not "):
        BodyReader({"name": value}).label("name", most=5)
    with pytest.raises(Problem, match=r"^names must be a list of at most 2 texts, each of 1 to 5 printable"):
        BodyReader({"names": ["a", value]}).labels("names", count=2, most=5)


@pytest.mark.parametrize("value", ["", "x", 5, ["a"], {"a": 1}, True])
def test_what_is_no_uuid_is_refused(value):
    """Whatever its type."""
    with pytest.raises(Problem, match=r"^id must be a UUID, not "):
        BodyReader({"id": value}).identifier("id")


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_what_is_neither_true_nor_false_is_refused(value):
    """Also numbers, which Python would take for them."""
    with pytest.raises(Problem, match=r"^on must be true or false, not "):
        BodyReader({"on": value}).flag("on")


def test_a_field_that_nobody_reads_is_refused_where_it_stands():
    """With the one that was probably meant."""
    outer = BodyReader({"inner": {"nmae": 1}})
    inner = outer.inner("inner")
    inner.label("name", most=5)
    sentence = "^inner.nmae must be left out, as it is not known here; did you mean name\\?$"
    with pytest.raises(Problem, match=sentence) as refused:
        inner.end()
    assert (refused.value.status, refused.value.code) == (422, "unknown_field")
