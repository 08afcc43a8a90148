"""How urgent a task is: a higher number comes first, and 0 is usual. Pure.

What that means for the order is the record's to say, in the statements that
write a task's *rank*: the microsecond from which it may run, less ``age_seconds``
for each step of priority; the lowest rank is claimed first. It never changes by
itself, so one index keeps the order, and yet those who wait get older: a task of
priority ``p`` is overtaken by one of priority ``q`` only if that came less than
``(q - p) * age_seconds`` later. Nothing that arrives after that can delay it.
"""

from __future__ import annotations

from typing import Final

LOWEST: Final = -1000
HIGHEST: Final = 1000


def from_number(number: int) -> int:
    """The priority that a caller of ``/api/bot/tasks/add`` means, who may name any number; higher is first.

    What lies beyond our limits counts as the limit.
    """
    return max(LOWEST, min(HIGHEST, number))
