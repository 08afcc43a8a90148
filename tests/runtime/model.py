"""What a supervisor under a supervisor does, worked out with nothing but lists and numbers.

An independent account of OTP's rules with a constant backoff, against which the
real tree is held. ``root`` (one for one) keeps ``mid``, whose children are workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from runtime import Restart, Strategy

DELAY = 0.7
PERIOD = 5.0
LATE = 1e-6
"""How long after it is due something is looked at."""


class State(Enum):
    RUNNING = auto()
    BACKOFF = auto()
    DOWN = auto()


class TreeEnded(Exception):
    """The root gave up."""


@dataclass
class Worker:
    name: str
    restart: Restart
    from_spec: bool
    state: State = State.DOWN
    due: float = 0.0
    closed: bool = False
    waiting: list[int] = field(default_factory=list)
    handled: list[int] = field(default_factory=list)
    broken: int = 0
    """Starts to come that will fail."""

    def tell(self, note: int) -> bool:
        """Whether the note is accepted."""
        if not self.closed:
            (self.handled if self.state is State.RUNNING else self.waiting).append(note)
        return not self.closed

    def starts(self) -> bool:
        """Whether a start succeeds."""
        self.closed = False
        if self.broken:
            self.broken -= 1
            return False
        self.state = State.RUNNING
        self.handled += self.waiting
        self.waiting.clear()
        return True

    def close(self) -> None:
        self.state, self.closed = State.DOWN, True
        self.waiting.clear()


class Window:
    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.times: list[float] = []

    def allows(self, now: float) -> bool:
        self.times.append(now)
        return len([time for time in self.times if time > now - PERIOD]) <= self.maximum

    def used(self, now: float) -> int:
        return min(self.maximum, len([time for time in self.times if time > now - PERIOD]))


class Model:
    def __init__(self, strategy: Strategy, restarts: list[Restart], most_mid: int, most_root: int) -> None:
        self.strategy = strategy
        self.now = 0.0
        self.spec = [Worker(name, restart, True) for name, restart in zip("abc", restarts, strict=False)]
        self.workers = list(self.spec)
        self.everybody = list(self.spec)
        self.most_mid = most_mid
        self.mid = Window(most_mid)
        self.root = Window(most_root)
        self.mid_due: float | None = None
        """When mid is started again; None while it runs."""
        for worker in self.workers:
            worker.starts()

    def find(self, name: str) -> Worker | None:
        return next((worker for worker in self.workers if worker.name == name), None)

    # What happens to a worker

    def fails(self, worker: Worker) -> None:
        if worker.restart is Restart.TEMPORARY:
            self.remove(worker)
        else:
            self.comes_back(worker)

    def leaves(self, worker: Worker) -> None:
        match worker.restart:
            case Restart.PERMANENT:
                self.comes_back(worker)
            case Restart.TRANSIENT:
                worker.close()
            case Restart.TEMPORARY:
                self.remove(worker)

    def comes_back(self, worker: Worker) -> None:
        if not self.mid.allows(self.now):
            self.mid_ends()
            return
        at = self.workers.index(worker)
        group = {
            Strategy.ONE_FOR_ONE: [worker],
            Strategy.ONE_FOR_ALL: self.workers[:],
            Strategy.REST_FOR_ONE: self.workers[at:],
        }[self.strategy]
        for member in group:
            if member.restart is Restart.TEMPORARY:
                self.remove(member)
            else:
                member.state, member.due = State.BACKOFF, self.now + DELAY

    def remove(self, worker: Worker) -> None:
        worker.close()
        self.workers.remove(worker)

    # What happens to mid

    def mid_ends(self) -> None:
        for worker in self.workers:
            if worker.from_spec:
                worker.state = State.DOWN
            else:
                worker.close()
        if not self.root.allows(self.now):
            raise TreeEnded
        self.mid_due = self.now + DELAY

    def mid_starts(self) -> None:
        self.mid_due = None
        self.mid = Window(self.most_mid)
        self.workers = list(self.spec)
        for worker in self.workers:
            if not worker.starts():
                self.mid_ends()
                return

    # Time

    def next_due(self) -> float | None:
        if self.mid_due is not None:
            return self.mid_due
        return min((worker.due for worker in self.workers if worker.state is State.BACKOFF), default=None)

    def happens(self) -> None:
        """What is due now."""
        if self.mid_due is not None:
            self.mid_starts()
            return
        due = self.next_due()
        for worker in list(self.workers):
            if worker.state is State.BACKOFF and worker.due == due and not worker.starts():
                self.comes_back(worker)
                return
