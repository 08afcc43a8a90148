from __future__ import annotations

from uuid import UUID

import pytest

from web.live.topics import EVERYTHING, TOPIC_OF, Interest, Topic, topic_of

ONE, TWO = UUID(int=1), UUID(int=2)
NOTHING: frozenset = frozenset()


@pytest.mark.parametrize(
    ("kind", "topic"),
    [("job_accepted", Topic.JOBS), ("status_change", Topic.SESSIONS), ("something", Topic.SESSIONS)],
)
def test_each_type_has_a_topic(kind, topic):
    """Sessions by default."""
    assert topic_of(kind) is topic


def test_each_topic_has_types():
    """No topic is without messages; those of plugins name theirs."""
    assert {*TOPIC_OF.values(), Topic.SESSIONS, Topic.PLUGINS} == set(Topic)


def test_by_default_everything_is_included():
    """Every topic and session."""
    assert all(EVERYTHING.includes(topic, session) for topic in Topic for session in (None, ONE))


def test_messages_of_no_session_are_always_included():
    """Such as those of the queue."""
    interest = Interest(sessions=frozenset({ONE}))
    assert interest.includes(Topic.JOBS, ONE)
    assert interest.includes(Topic.QUEUE, None)
    assert not interest.includes(Topic.JOBS, TWO)


def test_the_first_choice_narrows_and_the_next_extends():
    """Topics and sessions separately; an empty choice restores everything."""
    jobs = EVERYTHING.extended(frozenset({Topic.JOBS}), NOTHING)
    assert (jobs.topics, jobs.sessions) == ({Topic.JOBS}, None)
    more = jobs.extended(frozenset({Topic.TREE}), frozenset({ONE}))
    assert (more.topics, more.sessions) == ({Topic.JOBS, Topic.TREE}, {ONE})
    assert more.extended(NOTHING, frozenset({TWO})).sessions == {ONE, TWO}
    assert more.extended(NOTHING, NOTHING) == EVERYTHING


def test_a_subscription_may_become_empty():
    """Without its last session it includes none; without a choice it includes all."""
    assert Interest(sessions=frozenset({ONE})).reduced(NOTHING, frozenset({ONE})).sessions == NOTHING
    assert EVERYTHING.reduced(frozenset(Topic), frozenset({ONE})) == Interest(topics=NOTHING)
