from __future__ import annotations

from uuid import uuid4

from actors.sessions.session import claim_cache
from actors.sessions.session.claim_cache import ClaimCache

OURS, THEIRS = uuid4(), uuid4()


def test_what_is_not_known_is_nobody_s_yet():
    """The record is asked."""
    assert not ClaimCache().is_anothers("practice", "AZ-1", OURS)


def test_a_claim_is_its_holder_s_and_no_other_s():
    """Of one portal: another one may call its own job so."""
    known = ClaimCache()
    known.note("practice", "AZ-1", THEIRS)
    assert known.is_anothers("practice", "AZ-1", OURS)
    assert not known.is_anothers("practice", "AZ-1", THEIRS)
    assert not known.is_anothers("elsewhere", "AZ-1", OURS)


def test_what_an_ended_session_had_may_be_anybody_s():
    """What others have stays theirs."""
    known = ClaimCache()
    known.note("practice", "AZ-1", THEIRS)
    known.note("practice", "AZ-2", OURS)
    known.forget(THEIRS)
    assert not known.is_anothers("practice", "AZ-1", OURS)
    assert known.is_anothers("practice", "AZ-2", THEIRS)


def test_only_so_many_are_remembered():
    """The oldest are forgotten, and asked for again."""
    known = ClaimCache()
    for number in range(claim_cache.MOST + 1):
        known.note("practice", f"AZ-{number}", THEIRS)
    assert not known.is_anothers("practice", "AZ-0", OURS)
    assert known.is_anothers("practice", "AZ-1", OURS)
