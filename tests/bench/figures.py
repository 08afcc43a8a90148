"""Results of a benchmark: our figure and a peer's from the same run, their ratio and the goal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of ours, with a peer's where there is one."""

    name: str
    ours: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    """Ours divided by the peer's: the median of paired rounds, not the quotient of the two medians."""
    goal: float | None = None
    """Minimum of the ratio where there is a peer, else maximum of our figure."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal

    def row(self) -> str:
        """A row of the table."""
        peer = "no peer" if self.peer is None else _number(self.peer)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        goal = ""
        if self.goal is not None:
            bound = f"<= {self.goal:g}" if self.ratio is None else f">= {self.goal:g}x"
            goal = f"{bound:>9}  {'met' if self.met else 'NOT MET'}"
        ours = f"{_number(self.ours)} {self.unit}"
        return f"{self.name:<46}{ours:>16}{peer:>12}{ratio:>9}  {goal}".rstrip()

    def line(self) -> str:
        """A JSON object."""
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
    """A table for people."""
    header = f"{name} (Python {platform.python_version()}, {os.cpu_count()} cores)"
    columns = f"{'':<46}{'ours':>16}{'peer':>12}{'ratio':>9}  {'goal':>9}"
    return "\n".join([header, columns, *(figure.row() for figure in figures)]) + "\n"


class Rounds:
    """Measures several candidates in turns.

    A machine's speed changes from second to second, so measurements of the same
    round are compared, and the median of these ratios is reported.
    """

    def __init__(self, candidates: dict[str, Callable[[], float]], *, rounds: int) -> None:
        for run in candidates.values():
            run()  # the first run pays for imports and caches
        self._rates: dict[str, list[float]] = {name: [] for name in candidates}
        for turn in range(rounds):
            # Alternate the order, so that no candidate always follows the same one.
            order = list(candidates) if turn % 2 == 0 else list(reversed(candidates))
            for name in order:
                self._rates[name].append(candidates[name]())

    def rate(self, name: str) -> float:
        """The median rate of a candidate."""
        return median(self._rates[name])

    def ratio(self, name: str, peer: str) -> float:
        """The median over the rounds of the ratio of two candidates' rates."""
        return median(
            mine / theirs for mine, theirs in zip(self._rates[name], self._rates[peer], strict=True)
        )

    def figure(
        self, name: str, ours: str, peer: str, *, goal: float | None = None, unit: str = "/s"
    ) -> Figure:
        """The figure of one candidate, with another as the peer."""
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
