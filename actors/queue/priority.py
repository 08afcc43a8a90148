"""The priority of a task: a higher number comes first, 0 is the default. Pure.

The order itself is in the statements that write a task's *rank*: the microsecond
from which it may run, minus ``priority_aging_seconds`` for each step of priority.
The lowest rank is claimed first. A rank never changes by itself, so one index
keeps the order, and yet waiting tasks age: a task of priority ``p`` is overtaken
by one of priority ``q`` only if that came less than
``(q - p) * priority_aging_seconds`` later. A task that arrives after that cannot
delay it.
"""

from __future__ import annotations

from typing import Final

MIN_PRIORITY: Final = -1000
MAX_PRIORITY: Final = 1000


def clamp_priority(number: int) -> int:
    """The priority for a number given to ``/api/bot/tasks/add``: any integer, cut to our limits."""
    return max(MIN_PRIORITY, min(MAX_PRIORITY, number))
