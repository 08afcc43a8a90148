"""A model of a supervisor under a supervisor, made of lists and numbers only.

An independent implementation of OTP's rules with a constant backoff, to compare
the real tree with. ``root`` (one for one) supervises ``mid``, whose children are workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from runtime import Restart, Strategy

DELAY = 0.7
PERIOD = 5.0
LATE = 1e-6
"""How long after a due time the states are compared."""


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
    """Number of next starts that fail."""

    def receive(self, number: int) -> bool:
        """Whether the message is accepted."""
        if not self.closed:
            (self.handled if self.state is State.RUNNING else self.waiting).append(number)
        return not self.closed

    def start(self) -> bool:
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
    """A restart intensity."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.times: list[float] = []

    def add_restart(self, now: float) -> bool:
        self.times.append(now)
        return len([time for time in self.times if time > now - PERIOD]) <= self.maximum

    def used(self, now: float) -> int:
        return min(self.maximum, len([time for time in self.times if time > now - PERIOD]))


class Model:
    def __init__(self, strategy: Strategy, restarts: list[Restart], max_mid: int, max_root: int) -> None:
        self.strategy = strategy
        self.now = 0.0
        self.spec = [Worker(name, restart, True) for name, restart in zip("abc", restarts, strict=False)]
        self.workers = list(self.spec)
        self.all_workers = list(self.spec)
        self.max_mid = max_mid
        self.mid = Window(max_mid)
        self.root = Window(max_root)
        self.mid_due: float | None = None
        """When mid is restarted; None while it runs."""
        for worker in self.workers:
            worker.start()

    def find(self, name: str) -> Worker | None:
        return next((worker for worker in self.workers if worker.name == name), None)

    # Ends of workers

    def fail(self, worker: Worker) -> None:
        if worker.restart is Restart.TEMPORARY:
            self.remove(worker)
        else:
            self.restart(worker)

    def stop_itself(self, worker: Worker) -> None:
        match worker.restart:
            case Restart.PERMANENT:
                self.restart(worker)
            case Restart.TRANSIENT:
                worker.close()
            case Restart.TEMPORARY:
                self.remove(worker)

    def restart(self, worker: Worker) -> None:
        if not self.mid.add_restart(self.now):
            self.end_mid()
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

    # Ends and starts of mid

    def end_mid(self) -> None:
        for worker in self.workers:
            if worker.from_spec:
                worker.state = State.DOWN
            else:
                worker.close()
        if not self.root.add_restart(self.now):
            raise TreeEnded
        self.mid_due = self.now + DELAY

    def start_mid(self) -> None:
        self.mid_due = None
        self.mid = Window(self.max_mid)
        self.workers = list(self.spec)
        for worker in self.workers:
            if not worker.start():
                self.end_mid()
                return

    # Time

    def next_due(self) -> float | None:
        if self.mid_due is not None:
            return self.mid_due
        return min((worker.due for worker in self.workers if worker.state is State.BACKOFF), default=None)

    def run_due(self) -> None:
        """Do what is due now."""
        if self.mid_due is not None:
            self.start_mid()
            return
        due = self.next_due()
        for worker in list(self.workers):
            if worker.state is State.BACKOFF and worker.due == due and not worker.start():
                self.restart(worker)
                return
