"""What comes of holding a definition against a portal, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..job import Job
from ..portal import Outcome

LONGEST_TEXT: Final = 60
"""A finding's text fits into a column."""


class State(StrEnum):
    """How a key of the definition stands the test."""

    OK = "ok"
    WAITING = "waiting"
    """Nothing speaks against it, and it could not be tried."""
    FAILED = "failed"
    """A session could not work with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one key."""

    key: str
    """As in ``jobs.row``."""
    value: str
    """What the definition says."""
    state: State
    count: int | None = None
    """How often it is there; None where that was not the question."""
    text: str = ""
    """What the first of them reads, shortened."""
    remark: str = ""
    """What is wrong, or why it could not be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row of the job table as a session would see it."""

    job: Job
    outcome: Outcome | None
    """What its status means; None where the definition does not say."""


def shortened(text: str) -> str:
    """Return a text that fits into a column."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
