"""Decides whether and when a failed task is retried. Pure; randomness is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .messages import BackoffKind, RetryRule

_MOST_DOUBLINGS: Final = 64
"""More would overflow; the rule's maximum is reached long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailure:
    """How an attempt ended."""

    permanent: bool = False
    retry_after: float | None = None


def backoff(rule: RetryRule, attempts: int, chance: float) -> float:
    """Seconds to wait after ``attempts`` attempts; ``chance``, from 0 to 1, scales the jitter."""
    wait = rule.seconds
    if rule.kind is BackoffKind.EXPONENTIAL:
        wait *= 2.0 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return min(wait, rule.maximum_seconds) * (1 + rule.jitter * chance)


def next_wait(
    failure: AttemptFailure, rule: RetryRule, *, attempts: int, max_attempts: int, chance: float
) -> float | None:
    """Seconds until the next attempt, or None if the failure is final.

    A ``retry_after`` is a lower bound, whatever the rule says.
    """
    if failure.permanent or attempts >= max_attempts:
        return None
    return max(backoff(rule, attempts, chance), failure.retry_after or 0.0)
