from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from textwrap import dedent

import pytest
import trio

from runtime import ExitCode, InvalidSpec, until_signal

TREE = """
    import sys
    import trio
    from runtime import Actor, Address, Backoff, ChildSpec, SupervisorSpec, run

    class Doomed(Actor[str]):
        async def started(self):
            if sys.argv[1] == "unready":
                raise OSError("no port")
            self.context.nursery.start_soon(self.fail_or_run)
        async def fail_or_run(self):
            print("ready", flush=True)
            if sys.argv[1] == "crash":
                raise ValueError("no")
        async def stopped(self, reason):
            print(reason.cause, flush=True)
            if sys.argv[1] == "slow":
                await trio.sleep(0.5)
                print("all done", flush=True)

    spec = ChildSpec(address=Address("doomed"), start=Doomed, backoff=Backoff(minimum=0, maximum=0))
    nested = SupervisorSpec(
        address=Address("nested"), children=(spec,), max_restarts=1, backoff=Backoff(minimum=0, maximum=0)
    )
    sys.exit(run(SupervisorSpec(address=Address("root"), children=(nested,), max_restarts=1)))
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", dedent(TREE), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize(
    ("how", "code", "sentence"),
    [
        ("crash", ExitCode.GAVE_UP, "root gave up: more than 1 crashes within 5 s, the last of root/nested"),
        ("unready", ExitCode.START_FAILED, "root/nested/doomed did not start: no port"),
    ],
)
def test_the_end_of_a_tree_is_an_exit_code(how, code, sentence) -> None:
    """Escalated to the parent, then to the process: a code of its own and one sentence."""
    process = start(how)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err.startswith(sentence), err.count("\n")) == (code, True, 1)
    assert out.count("ready") == (4 if how == "crash" else 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(number) -> None:
    """The exit code is 0."""
    process = start("live")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (ExitCode.OK, "shutdown\n", "")


def test_a_second_signal_does_not_interrupt_the_stop() -> None:
    """It also does not end the process with a signal's exit code after the stop."""
    process = start("slow")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "shutdown\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (ExitCode.OK, "all done\n", "")


def test_codes() -> None:
    """An unknown error has no code and is raised again."""
    assert ExitCode.of(None) is ExitCode.OK
    assert ExitCode.of(InvalidSpec("no")) is ExitCode.MISCONFIGURED
    with pytest.raises(ZeroDivisionError):
        ExitCode.of(ZeroDivisionError())


@pytest.fixture
async def time_limit() -> AsyncGenerator[None, None]:
    """Fails a test whose signal is not received."""
    with trio.fail_after(5):
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_block(number: signal.Signals, time_limit) -> None:
    """Without an error, and it is passed to ``on_signal``."""
    received: list[signal.Signals] = []
    async with until_signal(received.append):
        os.kill(os.getpid(), number)
        await trio.sleep_forever()
    assert received == [number]


async def test_a_second_signal_does_not_interrupt_the_end_of_the_block(time_limit) -> None:
    """The cleanup of the block runs to its end, and the process continues."""
    received = {signal.SIGTERM: trio.Event(), signal.SIGINT: trio.Event()}
    stopped = False
    async with until_signal(lambda number: received[number].set()):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                os.kill(os.getpid(), signal.SIGINT)
                await received[signal.SIGINT].wait()
                stopped = True
    assert stopped
    assert received[signal.SIGTERM].is_set()


async def test_a_blocked_signal_is_received(time_limit) -> None:
    """As when Ctrl-C is pressed while the program still loads."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # Not to the process: another thread of this run, where it is not blocked, would receive it.
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    async with until_signal():
        await trio.sleep_forever()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


async def test_the_block_may_end_first(time_limit) -> None:
    """With its own error, not in a group; afterwards the signal handlers are restored."""
    before = signal.getsignal(signal.SIGTERM)
    async with until_signal():
        pass
    with pytest.raises(ZeroDivisionError):
        async with until_signal():
            raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before


GARBAGE = """
import gc
from runtime import freeze_heap

class Knot:
    def __init__(self):
        self.itself = self
        alive.add(id(self))
    def __del__(self):
        alive.discard(id(self))

alive = set()
kept = Knot()
freeze_heap()
assert gc.get_freeze_count() > 1000
assert id(kept) in alive
Knot()
assert len(alive) == 2
while len(alive) > 1:
    made = [[] for _ in range(gc.get_threshold()[0])]
print("collected")
"""


def test_objects_made_after_the_freeze_are_collected() -> None:
    """A cycle made after ``freeze_heap`` is collected. In a process of its own, as a freeze is permanent."""
    program = subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, text=True, timeout=60)
    assert (program.stdout, program.stderr) == ("collected\n", "")
