from __future__ import annotations

from uuid import uuid4

from actors.sessions.session import claim_cache
from actors.sessions.session.claim_cache import ClaimCache

OURS, THEIRS = uuid4(), uuid4()


def test_an_unknown_job_is_unclaimed():
    """The session queries the database."""
    assert not ClaimCache().is_claimed_by_other("practice", "AZ-1", OURS)


def test_a_claim_blocks_other_sessions_only():
    """For one portal: another portal may use the same ref."""
    known = ClaimCache()
    known.remember("practice", "AZ-1", THEIRS)
    assert known.is_claimed_by_other("practice", "AZ-1", OURS)
    assert not known.is_claimed_by_other("practice", "AZ-1", THEIRS)
    assert not known.is_claimed_by_other("another", "AZ-1", OURS)


def test_the_claims_of_an_ended_session_are_evicted():
    """The claims of other sessions stay."""
    known = ClaimCache()
    known.remember("practice", "AZ-1", THEIRS)
    known.remember("practice", "AZ-2", OURS)
    known.forget(THEIRS)
    assert not known.is_claimed_by_other("practice", "AZ-1", OURS)
    assert known.is_claimed_by_other("practice", "AZ-2", THEIRS)


def test_the_cache_is_bounded():
    """The oldest claims are evicted, and queried again."""
    known = ClaimCache()
    for number in range(claim_cache.MAX_CLAIMS + 1):
        known.remember("practice", f"AZ-{number}", THEIRS)
    assert not known.is_claimed_by_other("practice", "AZ-0", OURS)
    assert known.is_claimed_by_other("practice", "AZ-1", OURS)
