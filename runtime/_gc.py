"""What the garbage collector is spared in a process that runs for months."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 20_000
"""Objects made and not yet freed before the youngest are looked at. Python's own 700 is one request of many
tasks: the collector then ran in the midst of each, and found everything alive."""
FULL: Final = 35
"""Looks at the middle generation before one at everything, which stops everybody for as long as there is much
to walk through: a quarter of a second with 500 sessions."""


def freeze_heap() -> None:
    """Have the garbage collector pass over all that lives now, and look at the rest less often.

    To be called once a tree stands: code, settings and actors stay until the
    end of the process. Most objects are freed without the collector, which is
    for cycles only. See ``gc.freeze``.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, gc.get_threshold()[1], FULL)
