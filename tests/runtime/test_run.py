from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from runtime import ExitCode, InvalidSpec

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
