"""What a benchmark prints: ours beside a peer's, from one run, with the goal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement of ours, beside a peer's where there is one."""

    name: str
    ours: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    """How many times the peer's ours is; the median of paired rounds, so not just the quotient of the two."""
    goal: float | None = None
    """Of the ratio, where there is a peer, at least; else of our own value, at most."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal

    def row(self) -> str:
        """Columns as `HEADER` names them."""
        peer = "no peer" if self.peer is None else _number(self.peer)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        goal = ""
        if self.goal is not None:
            bound = f"<= {self.goal:g}" if self.ratio is None else f">= {self.goal:g}x"
            goal = f"{bound:>9}  {'met' if self.met else 'NOT MET'}"
        ours = f"{_number(self.ours)} {self.unit}"
        return f"{self.name:<46}{ours:>16}{peer:>12}{ratio:>9}  {goal}".rstrip()

    def line(self) -> str:
        """One JSON object."""
        return json.dumps(
            {
                "name": self.name,
                "ours": self.ours,
                "peer": self.peer,
                "ratio": self.ratio,
                "goal": self.goal,
                "unit": self.unit,
                "met": self.met,
            }
        )


def as_table(name: str, figures: Iterable[Figure]) -> str:
    """For people."""
    header = f"{name} (Python {platform.python_version()}, {os.cpu_count()} cores)"
    columns = f"{'':<46}{'ours':>16}{'peer':>12}{'ratio':>9}  {'goal':>9}"
    return "\n".join([header, columns, *(figure.row() for figure in figures)]) + "\n"


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

    def figure(
        self, name: str, ours: str, peer: str, *, goal: float | None = None, unit: str = "/s"
    ) -> Figure:
        """One contestant beside another."""
        return Figure(
            name=name,
            ours=self.rate(ours),
            unit=unit,
            peer=self.rate(peer),
            ratio=self.ratio(ours, peer),
            goal=goal,
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
