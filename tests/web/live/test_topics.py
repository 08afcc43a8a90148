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
    """Sessions, where nothing else is said."""
    assert topic_of(kind) is topic


def test_each_topic_has_types():
    """Nobody subscribes to what never comes."""
    assert {*TOPIC_OF.values(), Topic.SESSIONS} == set(Topic)


def test_by_default_everything_is_wanted():
    """Of every session."""
    assert all(EVERYTHING.wants(topic, session) for topic in Topic for session in (None, ONE))


def test_a_chosen_session_leaves_what_is_about_none():
    """Such as the queue."""
    interest = Interest(sessions=frozenset({ONE}))
    assert interest.wants(Topic.JOBS, ONE)
    assert interest.wants(Topic.QUEUE, None)
    assert not interest.wants(Topic.JOBS, TWO)


def test_the_first_choice_narrows_and_the_next_widens():
    """Topics and sessions apart; to choose nothing is to want everything again."""
    jobs = EVERYTHING.with_more(frozenset({Topic.JOBS}), NOTHING)
    assert (jobs.topics, jobs.sessions) == ({Topic.JOBS}, None)
    more = jobs.with_more(frozenset({Topic.TREE}), frozenset({ONE}))
    assert (more.topics, more.sessions) == ({Topic.JOBS, Topic.TREE}, {ONE})
    assert more.with_more(NOTHING, frozenset({TWO})).sessions == {ONE, TWO}
    assert more.with_more(NOTHING, NOTHING) == EVERYTHING


def test_less_may_be_nothing():
    """Who drops the last session hears of none; who never chose one hears of all."""
    assert Interest(sessions=frozenset({ONE})).with_less(NOTHING, frozenset({ONE})).sessions == NOTHING
    assert EVERYTHING.with_less(frozenset(Topic), frozenset({ONE})) == Interest(topics=NOTHING)
