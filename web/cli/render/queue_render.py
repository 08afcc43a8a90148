"""Queue statistics: JSON models of the API's response, and their printed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .output import plain
from .task_render import ago


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitJson:
    """A task limit and its use."""

    scope: str
    name: str
    paused: bool
    max_running: int | None
    running: int
    rate: int | None
    rate_seconds: float
    rate_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJson:
    """A worker and its task types."""

    owner: str
    types: tuple[str, ...]
    unavailable_types: dict[str, str]
    """Task types that it cannot accept now, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsJson:
    """Task counts, limits and workers."""

    states: dict[str, int]
    types: dict[str, dict[str, int]]
    limits: tuple[LimitJson, ...]
    workers: tuple[WorkerJson, ...]
    oldest_pending_at: datetime | None
    stale_writes: int


def stats_details(stats: StatsJson) -> RenderableType:
    """Task counts, limits and workers as tables."""
    counts = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    counts.add_column("TYPE")
    for state in stats.states:
        counts.add_column(plain(state).upper(), justify="right")
    for kind, states in {**stats.types, "all": stats.states}.items():
        counts.add_row(Text(plain(kind)), *(str(states.get(state, 0)) for state in stats.states))
    more = Table.grid(padding=(0, 2))
    if stats.oldest_pending_at is not None:
        more.add_row("oldest pending", ago(stats.oldest_pending_at))
    for limit in stats.limits:
        more.add_row("limit", Text(f"{_scope(limit)}: {', '.join(_rules(limit))}"))
    for worker in stats.workers:
        types = ", ".join(map(plain, worker.types)) or "nothing"
        more.add_row("worker", Text(f"{plain(worker.owner)} accepts {types}"))
        for kind, why in worker.unavailable_types.items():
            more.add_row("", Text(f"not {plain(kind)}: {plain(why)}"))
    if stats.stale_writes:
        more.add_row("stale writes", str(stats.stale_writes))
    return Group(counts, more)


def _scope(limit: LimitJson) -> str:
    return "all types" if limit.scope == "all" else f"{plain(limit.scope)} {plain(limit.name)}"


def _rules(limit: LimitJson) -> Iterator[str]:
    if limit.paused:
        yield "paused"
    if limit.max_running is not None:
        yield f"{limit.running} of {limit.max_running} running"
    if limit.rate is not None:
        yield f"{limit.rate_used} of {limit.rate} started within {limit.rate_seconds:g} s"
