"""Who comes back after a child ended, and whether the supervisor itself ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from ._exit import Cause


class Restart(StrEnum):
    """When a child that ended is started again (OTP's restart types)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only when it failed."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(StrEnum):
    """Which children are restarted when one must be."""

    ONE_FOR_ONE = "one_for_one"
    """Only that one."""
    ONE_FOR_ALL = "one_for_all"
    """All of them: they cannot work without each other."""
    REST_FOR_ONE = "rest_for_one"
    """That one and those that started after it, as they may depend on it."""


class AutoShutdown(StrEnum):
    """Whether a supervisor ends by itself with its significant children."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """With the first of them that ends and stays so."""
    ALL_SIGNIFICANT = "all_significant"
    """With the last of them."""


def comes_back(restart: Restart, cause: Cause) -> bool:
    """OTP's ``do_restart``: whether a child of this type is started again after such an end."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return cause.is_failure
        case Restart.TEMPORARY:
            return False


def affected(strategy: Strategy, ids: Sequence[str], ended: str) -> list[str]:
    """The children that stop and start with the one that ended, itself among them, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [ended]
        case Strategy.ONE_FOR_ALL:
            return list(ids)
        case Strategy.REST_FOR_ONE:
            return list(ids[ids.index(ended) :])


def shuts_down(auto_shutdown: AutoShutdown, *, significant: bool, others: Iterable[bool]) -> bool:
    """Whether the supervisor ends too, after a child ended for good by itself.

    ``others`` says of each other significant child whether it is still there.
    """
    match auto_shutdown:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return significant
        case AutoShutdown.ALL_SIGNIFICANT:
            return significant and not any(others)
