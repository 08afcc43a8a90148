"""A tree under random crashes, stops, starts and clock steps, compared with ``model.py``.

Each rule applies a step to the model and records the expected states; the real
tree then runs the same steps under a mock clock, and must agree after each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime import (
    Actor,
    ActorStopped,
    Address,
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildState,
    DeleteChild,
    Exit,
    IntensityReached,
    NotFound,
    Refusal,
    Request,
    Restart,
    RestartChild,
    StartChild,
    StartRefused,
    Strategy,
    SupervisorSpec,
    System,
    TerminateChild,
    open_system,
)

from .model import DELAY, LATE, PERIOD, Model, State, TreeEnded, Worker

TICK = 0.001
"""Between two steps, so that no two crashes are at the same time."""
CONSTANT = Backoff(minimum=DELAY, maximum=DELAY, jitter=0)
NAMES = st.sampled_from("aaabbcde")
STATES = {
    State.RUNNING: ChildState.RUNNING,
    State.BACKOFF: ChildState.BACKOFF,
    State.DOWN: ChildState.STOPPED,
}


class Real:
    """The real tree, and the starts, stops and messages that its actors recorded."""

    def __init__(self, strategy: Strategy, restarts: list[Restart], max_mid: int, max_root: int) -> None:
        self.log: list[tuple[str, str]] = []
        self.handled: dict[str, list[int]] = {}
        self.broken: dict[str, int] = {}
        self.addresses: dict[str, Address[object]] = {}
        self.mid = SupervisorSpec(
            address=Address("mid"),
            children=tuple(
                self.spec(name, restart, name) for name, restart in zip("abc", restarts, strict=False)
            ),
            strategy=strategy,
            max_restarts=max_mid,
            period=PERIOD,
            backoff=CONSTANT,
        )
        self.root = SupervisorSpec(
            address=Address("root"), children=(self.mid,), max_restarts=max_root, period=PERIOD
        )

    def spec(self, name: str, restart: Restart, key: str) -> ChildSpec:
        """``key`` distinguishes children that have the same name one after the other."""
        self.addresses[key] = Address(name)
        self.handled[key] = []
        return ChildSpec(
            address=self.addresses[key],
            start=lambda: LoggingActor(self, key),
            restart=restart,
            backoff=CONSTANT,
        )


class LoggingActor(Actor[object]):
    """Records its starts, its stops and its messages."""

    def __init__(self, real: Real, key: str) -> None:
        self.real = real
        self.key = key

    async def started(self) -> None:
        if self.real.broken.get(self.key):
            self.real.broken[self.key] -= 1
            raise OSError("broken")
        self.real.log.append((self.key, "started"))
        self.ready = True

    async def handle(self, message: object) -> None:
        match message:
            case int():
                self.real.handled[self.key].append(message)
            case "stop":
                self.context.stop()
            case _:
                raise ValueError("crash")

    async def stopped(self, reason: Exit) -> None:
        if hasattr(self, "ready"):
            self.real.log.append((self.key, "stopped"))


Step = Callable[[Real, System, trio.testing.MockClock], Awaitable[None]]


class TreeMachine(RuleBasedStateMachine):
    @initialize(
        strategy=st.sampled_from(list(Strategy)),
        restarts=st.lists(st.sampled_from(list(Restart)), min_size=1, max_size=3),
        max_mid=st.integers(0, 3),
        max_root=st.integers(0, 2),
    )
    def build(self, strategy: Strategy, restarts: list[Restart], max_mid: int, max_root: int) -> None:
        self.arguments = strategy, restarts, max_mid, max_root
        self.model = Model(*self.arguments)
        self.steps: list[Step] = []
        self.numbers = count()
        self.ended = False
        self.keys = {id(worker): worker.name for worker in self.model.spec}

    @property
    def mid_runs(self) -> bool:
        return not self.ended and self.model.mid_due is None

    # Rules

    @precondition(lambda self: not self.ended)
    @rule(name=NAMES)
    def send(self, name: str) -> None:
        worker = self.model.find(name)
        if worker is None:
            return
        self._advance(TICK)
        if self.ended:
            return
        number, key = next(self.numbers), self.keys[id(worker)]
        accepted = worker.receive(number)

        async def step(real: Real, _: System, __: object) -> None:
            try:
                real.addresses[key].tell_nowait(number)
            except ActorStopped:
                assert not accepted
            else:
                assert accepted

        self.steps.append(step)
        self._compare()

    @precondition(lambda self: self.mid_runs)
    @rule(name=NAMES, how=st.sampled_from(["crash", "stop"]))
    def end(self, name: str, how: str) -> None:
        self._advance(TICK)
        worker = self.model.find(name) if self.mid_runs else None
        if worker is None or worker.state is not State.RUNNING:
            return
        key = self.keys[id(worker)]

        async def step(real: Real, _: System, __: object) -> None:
            real.addresses[key].tell_nowait(how)

        self.steps.append(step)
        self._apply(lambda: (self.model.fail if how == "crash" else self.model.stop_itself)(worker))
        self._compare()

    @precondition(lambda self: not self.ended)
    @rule(name=st.sampled_from("abc"), times=st.integers(1, 3))
    def break_starts(self, name: str, times: int) -> None:
        for worker in self.model.spec:
            if worker.name == name:
                worker.broken = times

        async def step(real: Real, _: System, __: object) -> None:
            real.broken[name] = times

        self.steps.append(step)

    @precondition(lambda self: self.mid_runs)
    @rule(name=NAMES)
    def terminate(self, name: str) -> None:
        def expect(worker: Worker | None) -> type[Refusal] | None:
            if worker is None:
                return NotFound
            if worker.restart is Restart.TEMPORARY:
                self.model.remove(worker)
            else:
                worker.close()
            return None

        self._ask(name, TerminateChild(id=name), expect)

    @precondition(lambda self: self.mid_runs)
    @rule(name=NAMES)
    def restart(self, name: str) -> None:
        def expect(worker: Worker | None) -> type[Refusal] | None:
            if worker is None:
                return NotFound
            if worker.state is State.DOWN:
                started = worker.start()
                if not started:
                    worker.close()
                return None if started else StartRefused
            return ChildRunning if worker.state is State.RUNNING else ChildRestarting

        self._ask(name, RestartChild(id=name), expect)

    @precondition(lambda self: self.mid_runs)
    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        def expect(worker: Worker | None) -> type[Refusal] | None:
            if worker is None:
                return NotFound
            if worker.state is State.DOWN:
                self.model.remove(worker)
                return None
            return ChildRunning if worker.state is State.RUNNING else ChildRestarting

        self._ask(name, DeleteChild(id=name), expect)

    @precondition(lambda self: self.mid_runs)
    @rule(name=st.sampled_from("de"), restart=st.sampled_from(list(Restart)))
    def start_child(self, name: str, restart: Restart) -> None:
        key = f"{name}{next(self.numbers)}"

        def expect(worker: Worker | None) -> type[Refusal] | None:
            if worker is not None:
                return AlreadyPresent if worker.state is State.DOWN else AlreadyStarted
            new = Worker(name, restart, False)
            new.start()
            self.model.workers.append(new)
            self.model.all_workers.append(new)
            self.keys[id(new)] = key
            return None

        self._ask(name, lambda real: StartChild(spec=real.spec(name, restart, key)), expect)

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self._advance(seconds)

    # Recording a step

    def _apply(self, what: Callable[[], None]) -> None:
        try:
            what()
        except TreeEnded:
            self.ended = True

    def _advance(self, seconds: float) -> None:
        """Advance the time, in the model and then in the tree, stopping wherever something is due."""
        until = self.model.now + seconds
        while not self.ended:
            due = self.model.next_due()
            is_due = due is not None and due + LATE <= until
            now = due + LATE if due is not None and is_due else until
            jump = now - self.model.now
            self.model.now = now

            async def step(_: Real, __: System, clock: trio.testing.MockClock, jump: float = jump) -> None:
                clock.jump(jump)

            self.steps.append(step)
            if not is_due:
                return
            self._apply(self.model.run_due)
            self._compare()

    def _ask(
        self,
        name: str,
        request: Request[object] | Callable[[Real], Request[object]],
        expect: Callable[[Worker | None], type[Refusal] | None],
    ) -> None:
        self._advance(TICK)
        if not self.mid_runs:
            return
        refusal = expect(self.model.find(name))

        async def step(real: Real, _: System, __: object) -> None:
            message = request(real) if callable(request) else request
            if refusal is None:
                await real.mid.address.ask(message, timeout=1)
            else:
                with pytest.raises(refusal):
                    await real.mid.address.ask(message, timeout=1)

        self.steps.append(step)
        self._compare()

    def _compare(self) -> None:
        """Record that the tree must now be in the state of the model."""
        model, mid_runs = self.model, self.mid_runs
        states = [(worker.name, STATES[worker.state]) for worker in model.workers]
        used_mid, used_root = model.mid.used(model.now), model.root.used(model.now)
        handled = {self.keys[id(worker)]: list(worker.handled) for worker in model.all_workers}
        ended = self.ended

        async def step(real: Real, system: System, _: object) -> None:
            await trio.testing.wait_all_tasks_blocked()
            assert {key: numbers for key, numbers in real.handled.items() if key in handled} == handled
            if ended:
                return
            root = system.snapshot()
            mid = root.children[0]
            assert root.budget is not None
            assert root.budget.used == used_root
            if not mid_runs:
                assert mid.state is ChildState.BACKOFF
                return
            assert mid.state is ChildState.RUNNING
            assert mid.budget is not None
            assert mid.budget.used == used_mid
            # A requested start that failed leaves the child in the state failed.
            down = {ChildState.FAILED: ChildState.STOPPED}
            assert [(node.id, down.get(node.state, node.state)) for node in mid.children] == states

        self.steps.append(step)

    @invariant()
    def restarts_stay_within_the_intensity(self) -> None:
        if hasattr(self, "model") and not self.ended:
            assert self.model.mid.used(self.model.now) <= self.model.max_mid

    # The real tree

    def teardown(self) -> None:
        if hasattr(self, "model"):
            clock = trio.testing.MockClock()
            trio.run(self._play, clock, clock=clock)

    async def _play(self, clock: trio.testing.MockClock) -> None:
        real = Real(*self.arguments)
        last: list[str] = []
        gave_up = False
        try:
            async with open_system(real.root) as system:
                for step in self.steps:
                    await step(real, system, clock)
                    await trio.testing.wait_all_tasks_blocked()
                last = alive(real.log)
                before = len(real.log)
        except IntensityReached:
            gave_up = True
        assert gave_up is self.ended
        # No orphan: every started actor has stopped.
        assert alive(real.log) == []
        if not gave_up:
            assert [key for key, _ in real.log[before:]] == self._stop_order(last)

    def _stop_order(self, keys: list[str]) -> list[str]:
        order = [self.keys[id(worker)] for worker in self.model.workers]
        return sorted(keys, key=order.index, reverse=True)


def alive(log: list[tuple[str, str]]) -> list[str]:
    """The actors that run after this log; none may start twice or stop without a start."""
    running: list[str] = []
    for key, what in log:
        if what == "started":
            assert key not in running
            running.append(key)
        else:
            running.remove(key)
    return running


TestTree = TreeMachine.TestCase
TestTree.settings = settings(max_examples=300, stateful_step_count=30, deadline=None, derandomize=True)
