"""A log of what task handlers did, which survives crashes of botvisor, PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line: a handler of a process began or ended its work on a task."""

    kind: str
    task: str
    attempt: int
    pid: int
    at: float
    """On the machine's monotonic clock."""


def write(path: str, kind: str, task: str, attempt: int) -> None:
    """Append a line in one write, so that several processes do not mix their lines."""
    line = json.dumps(
        {"kind": kind, "task": task, "attempt": attempt, "pid": os.getpid(), "at": time.monotonic()}
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def read(path: Path) -> list[LogEntry]:
    """All complete lines."""
    if not path.exists():
        return []
    # The rest after the last end of a line is incomplete.
    whole, _, _ = path.read_text().rpartition("\n")
    return [LogEntry(**json.loads(line)) for line in whole.splitlines()]


def overlaps(entries: Iterable[LogEntry], killed: dict[int, float]) -> list[str]:
    """Tasks that two handlers worked on at once. The work of a killed process ends with its death."""
    spans: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    open_since: dict[tuple[str, int, int], float] = {}
    for entry in entries:
        key = (entry.task, entry.attempt, entry.pid)
        if entry.kind == "begin":
            open_since[key] = entry.at
        elif key in open_since:
            spans[entry.task].append((open_since.pop(key), entry.at, entry.pid))
    for (task, _, pid), since in open_since.items():
        spans[task].append((since, killed.get(pid, float("inf")), pid))
    wrong = []
    for task, found in spans.items():
        found.sort()
        wrong += [task for (_, end, _), (begin, _, _) in pairwise(found) if begin < end]
    return wrong
