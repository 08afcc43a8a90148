"""What a benchmark reports: figures, some with a goal."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, and what it should be."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def line(self) -> str:
        goal = ""
        if self.met is not None:
            bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
            goal = f"{bound:>10} {'met' if self.met else 'NOT MET'}"
        return f"{self.name:<46}{_number(self.value):>12} {self.unit:<8}{goal}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one benchmark."""

    name: str
    figures: tuple[Figure, ...]

    def as_text(self) -> str:
        machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
        return "\n".join([f"{self.name} ({machine})", *(figure.line() for figure in self.figures)]) + "\n"

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
        }


class Rounds:
    """Several contestants, measured in turns.

    The machine's mood changes from second to second; what was measured next to
    each other is compared, and the median of those comparisons is told.
    """

    def __init__(self, contestants: dict[str, Callable[[], float]], *, rounds: int) -> None:
        for run in contestants.values():
            run()  # the first time pays for imports and caches
        self._rates: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(rounds):
            # Back and forth, so that nobody is always measured after the same neighbour.
            order = list(contestants) if turn % 2 == 0 else list(reversed(contestants))
            for name in order:
                self._rates[name].append(contestants[name]())

    def rate(self, name: str) -> float:
        """The median of a contestant."""
        return median(self._rates[name])

    def ratio(self, name: str, peer: str) -> float:
        """The median, over the rounds, of how many times faster one was than the other."""
        return median(
            mine / theirs for mine, theirs in zip(self._rates[name], self._rates[peer], strict=True)
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
