"""What handlers did, written where no crash of botvisor, PostgreSQL or Redis can take it back."""

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
class Entry:
    """One line: a handler of this process began or ended its work on a task."""

    what: str
    task: str
    attempt: int
    pid: int
    at: float
    """By the machine's one monotonic clock."""


def write(path: str, what: str, task: str, attempt: int) -> None:
    """Add a line, in one write, so that those of several processes do not mix."""
    line = json.dumps(
        {"what": what, "task": task, "attempt": attempt, "pid": os.getpid(), "at": time.monotonic()}
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Entry]:
    """All lines so far."""
    if not path.exists():
        return []
    # What comes after the last end of a line is just being written.
    whole, _, _ = path.read_text().rpartition("\n")
    return [Entry(**json.loads(line)) for line in whole.splitlines()]


def overlaps(entries: Iterable[Entry], killed: dict[int, float]) -> list[str]:
    """Tasks that two handlers had in hand at once. A killed process let go of its own when it died."""
    spans: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    open_since: dict[tuple[str, int, int], float] = {}
    for entry in entries:
        key = (entry.task, entry.attempt, entry.pid)
        if entry.what == "begin":
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
