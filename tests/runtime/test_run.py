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

PROGRAM = """
    import sys
    import trio
    from runtime import Actor, Address, Backoff, ChildSpec, SupervisorSpec, run

    class Doomed(Actor[str]):
        async def started(self):
            if sys.argv[1] == "unready":
                raise OSError("no port")
            self.context.nursery.start_soon(self.live)
        async def live(self):
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
        [sys.executable, "-c", dedent(PROGRAM), *arguments],
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
    """Escalated to the parent, then to the process: with a code of its own and one sentence."""
    process = start(how)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err.startswith(sentence), err.count("\n")) == (code, True, 1)
    assert out.count("ready") == (4 if how == "crash" else 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(number) -> None:
    """And that is a success."""
    process = start("live")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (ExitCode.OK, "shutdown\n", "")


def test_a_second_signal_does_not_cut_the_stop_short() -> None:
    """Nor does it end the process with a signal's code once the stop is done."""
    process = start("slow")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "shutdown\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (ExitCode.OK, "all done\n", "")


def test_codes() -> None:
    """What is not known is not hidden behind a code."""
    assert ExitCode.of(None) is ExitCode.OK
    assert ExitCode.of(InvalidSpec("no")) is ExitCode.MISCONFIGURED
    with pytest.raises(ZeroDivisionError):
        ExitCode.of(ZeroDivisionError())


@pytest.fixture(autouse=True)
async def in_time() -> AsyncGenerator[None, None]:
    with trio.fail_after(5):
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_block(number: signal.Signals) -> None:
    """Quietly, and told to whoever wants to know."""
    heard: list[signal.Signals] = []
    async with until_signal(heard.append):
        os.kill(os.getpid(), number)
        await trio.sleep_forever()
    assert heard == [number]


async def test_a_second_signal_does_not_cut_the_end_short() -> None:
    """What has to be brought to an end is, and the process lives on."""
    heard = {signal.SIGTERM: trio.Event(), signal.SIGINT: trio.Event()}
    stopped = False
    async with until_signal(lambda number: heard[number].set()):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                os.kill(os.getpid(), signal.SIGINT)
                await heard[signal.SIGINT].wait()
                stopped = True
    assert stopped
    assert heard[signal.SIGTERM].is_set()


async def test_a_signal_that_was_held_back_is_heard() -> None:
    """As of somebody who pressed Ctrl-C while the program was still loading."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # Not to the process: another thread of this run, where it is not held back, would hear it.
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    async with until_signal():
        await trio.sleep_forever()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


async def test_the_block_may_end_first() -> None:
    """With its own error, as it is; afterwards signals are what they were."""
    before = signal.getsignal(signal.SIGTERM)
    async with until_signal():
        pass
    with pytest.raises(ZeroDivisionError):
        async with until_signal():
            raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before
