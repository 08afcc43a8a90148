"""What all supervisors and actors of one tree share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ._dead_letters import DeadLetters
from ._ledger import Ledger
from ._load import LagMeter, Load, SlowHandlers


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemContext:
    publish: Callable[[object], None]
    random: Random
    ledger: Ledger
    letters: DeadLetters
    slow: SlowHandlers
    meter: LagMeter

    def load(self) -> Load:
        """Where the time goes."""
        return Load(lag=self.meter.lag(), slowest=self.slow.slowest())
