"""When a failed task is tried again, if at all. Pure; its randomness is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .messages import BackoffKind, RetryRule

_MOST_DOUBLINGS: Final = 64
"""More would only overflow; the maximum of the rule is long reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt ended."""

    permanent: bool = False
    retry_after: float | None = None


def backoff(rule: RetryRule, attempts: int, chance: float) -> float:
    """Seconds to wait after so many attempts; ``chance`` from 0 to 1 picks the jitter."""
    wait = rule.seconds
    if rule.kind is BackoffKind.EXPONENTIAL:
        wait *= 2.0 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return min(wait, rule.maximum_seconds) * (1 + rule.jitter * chance)


def next_wait(
    failure: Failure, rule: RetryRule, *, attempts: int, max_attempts: int, chance: float
) -> float | None:
    """Seconds until the next attempt, or None where there will be none.

    Who refused us and said when to come back is not asked earlier, whatever our own rule says.
    """
    if failure.permanent or attempts >= max_attempts:
        return None
    return max(backoff(rule, attempts, chance), failure.retry_after or 0.0)
