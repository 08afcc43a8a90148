from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from web.practice.ledger import KEPT_JOBS, MAX_SESSIONS, SHOWN_AFTER_SECONDS, PostingStatus, open_ledger
from web.practice.market import Market, Schedule

WALL = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MARKET = Market(seed=1, initial_jobs=5, arrival_seconds=0, taken_share=0, taken_after_seconds=0)
CONTESTED = Market(seed=1, initial_jobs=5, arrival_seconds=0, taken_share=1, taken_after_seconds=10)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "portal.sqlite"


@pytest.fixture
def ledger(path):
    with open_ledger(path) as ledger:
        yield ledger


def arrive(ledger, market=MARKET, now=0.0):
    arrivals, schedule = market.arrivals(ledger.schedule(), now=now, limit=200)
    ledger.advance(now=now, arrivals=arrivals, schedule=schedule, wall=WALL)
    return [arrival.posting for arrival in arrivals]


def accept(ledger, ref, now=1.0):
    return ledger.decide(ref, PostingStatus.ACCEPTED, reason="", now=now, wall=WALL)


def test_arrived_jobs_are_open_and_shown_in_order(ledger):
    """In order of their posting, oldest first."""
    postings = arrive(ledger)
    table = ledger.table(now=0)
    assert [entry.ref for entry in table] == [posting.ref for posting in postings]
    assert [entry.language for entry in table] == [
        "" if posting.missing == "language" else posting.language for posting in postings
    ]
    assert {entry.status for entry in table} == {PostingStatus.OPEN}
    assert table[0].submitted == "2026-01-31 12:00:00"


def test_a_job_is_decided_once(ledger):
    """A second decision changes nothing and returns the status."""
    arrive(ledger)
    assert accept(ledger, "AZ-100001") is PostingStatus.ACCEPTED
    assert accept(ledger, "AZ-100001", now=2.0) is PostingStatus.ACCEPTED
    assert (
        ledger.decide("AZ-100001", PostingStatus.REJECTED, reason="no", now=3.0, wall=WALL)
        is PostingStatus.ACCEPTED
    )
    (result,) = ledger.results()
    assert (result.ref, result.status, result.reason) == ("AZ-100001", PostingStatus.ACCEPTED, "")
    assert ledger.count(PostingStatus.ACCEPTED) == 1


def test_an_unknown_job_cannot_be_decided(ledger):
    """It has no status."""
    assert accept(ledger, "AZ-1") is None


def test_a_taken_job_is_lost_before_the_ledger_advances(ledger):
    """The time of the taking counts, not that of the next request."""
    first = arrive(ledger, CONTESTED)[0]
    assert first.taken_after is not None
    assert accept(ledger, first.ref, now=first.taken_after + 0.1) is PostingStatus.OPEN
    arrive(ledger, CONTESTED, now=first.taken_after + 0.1)
    assert accept(ledger, first.ref, now=first.taken_after + 0.2) is PostingStatus.TAKEN
    assert ledger.results() == []
    taken = ledger.result(first.ref)
    assert taken is not None
    assert taken.status is PostingStatus.TAKEN


def test_old_decisions_leave_the_table_and_keep_their_result(ledger):
    """After a minute."""
    arrive(ledger)
    accept(ledger, "AZ-100001", now=1.0)
    assert "AZ-100001" in {entry.ref for entry in ledger.table(now=2.0)}
    assert "AZ-100001" not in {entry.ref for entry in ledger.table(now=2.0 + SHOWN_AFTER_SECONDS)}
    assert ledger.result("AZ-100001") is not None
    assert ledger.result("AZ-100002") is None


def test_very_old_jobs_are_deleted(ledger):
    """Decided jobs beyond 100,000; open jobs are kept."""
    arrive(ledger)
    accept(ledger, "AZ-100001")
    more = replace(MARKET, initial_jobs=6)
    (arrival,) = more.arrivals(ledger.schedule(), now=0, limit=1)[0]
    ledger.advance(now=2.0, arrivals=[arrival], schedule=Schedule(next_n=KEPT_JOBS + 2), wall=WALL)
    assert ledger.result("AZ-100001") is None
    assert [entry.ref for entry in ledger.table(now=2.0)] == [f"AZ-10000{n}" for n in range(2, 7)]


def test_everything_survives_a_restart(path):
    """Clock, stream, results, sessions and the secret."""
    with open_ledger(path) as ledger:
        arrive(ledger, now=7.0)
        accept(ledger, "AZ-100001")
        token, secret = ledger.begin_session(now=7.0), ledger.secret()
    with open_ledger(path) as ledger:
        assert ledger.clock() == 7.0
        assert ledger.schedule().next_n == 6
        assert [entry.ref for entry in ledger.results()] == ["AZ-100001"]
        assert ledger.session_began(token) == 7.0
        assert ledger.secret() == secret


def test_the_number_of_sessions_is_limited(ledger):
    """A new session beyond the limit ends the oldest."""
    first = ledger.begin_session(now=0)
    assert ledger.session_began(first) == 0
    for _ in range(MAX_SESSIONS):
        last = ledger.begin_session(now=1)
    assert ledger.session_began(first) is None
    ledger.end_session(last)
    assert ledger.session_began(last) is None
    assert ledger.session_began("") is None


def test_a_file_that_is_no_ledger_is_rejected(path):
    """It stays unchanged."""
    path.write_bytes(b"something else altogether, and quite long enough")
    with pytest.raises(sqlite3.Error), open_ledger(path):
        pass
    assert path.read_bytes().startswith(b"something else")
