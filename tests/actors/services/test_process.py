from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import structlog.testing
import trio

from actors.services import Command, ProcessExited, ProcessNotStarted, StopStep, open_process, run
from actors.services.process import MAX_LINE_BYTES, MAX_LINES_PER_READ, TAIL_LINES

from .waiting import ended

QUICK = (StopStep(signal=signal.SIGTERM, grace=0.1),)


def shell(script: str, **more: object) -> Command:
    return Command(name="child", argv=("sh", "-c", script), **more)  # type: ignore[arg-type]


def pid_in(line: str) -> int | None:
    found = re.fullmatch(r"pid (\d+)", line)
    return int(found.group(1)) if found else None


async def test_output_is_logged_line_by_line() -> None:
    """Both streams, and a last line without a newline; empty lines are skipped."""
    with trio.fail_after(5), structlog.testing.capture_logs() as logs:
        async with open_process(shell("echo one; echo; echo two >&2; printf three")) as process:
            assert await process.wait() == 0
    assert sorted(process.tail) == ["one", "three", "two"]
    written = {(log["stream"], log["line"]) for log in logs if log["event"] == "process_output"}
    assert written == {("stdout", "one"), ("stderr", "two"), ("stdout", "three")}
    assert {log["log_level"] for log in logs} == {"debug"}


async def test_only_the_last_lines_are_kept() -> None:
    """The tail is bounded."""
    with trio.fail_after(5):
        tail = await run(shell("seq 1000"))
    assert tail == tuple(str(number) for number in range(1001 - TAIL_LINES, 1001))


async def test_a_sink_receives_the_newest_lines_and_the_number_of_dropped_ones() -> None:
    """Fast output is not split into all its lines, which would starve other tasks."""

    class RecordingSink:
        def __init__(self) -> None:
            self.lines: list[str] = []
            self.dropped_lines = 0

        def write(self, line: str) -> None:
            self.lines.append(line)

        def dropped(self, lines: int) -> None:
            self.dropped_lines += lines

    sink = RecordingSink()
    with trio.fail_after(10):
        async with open_process(shell("seq 200000"), sink=sink) as process:
            assert await process.wait() == 0
    assert sink.dropped_lines > 100_000
    assert len(sink.lines) + sink.dropped_lines == 200_000
    assert sink.lines[-MAX_LINES_PER_READ:] == [
        str(number) for number in range(200_001 - MAX_LINES_PER_READ, 200_001)
    ]


@pytest.mark.parametrize("group", [False, True])
async def test_a_stop_signals_the_process_or_its_group(group: bool) -> None:
    """If the group is signalled, its children have the same time; otherwise they are killed with it."""
    child = "trap 'sleep 0.3; echo cleaned up; exit' TERM; echo pid $$; while :; do sleep 0.05; done"
    step = StopStep(signal=signal.SIGTERM, grace=5.0, group=group)
    script = shell(f'sh -c "{child.replace("$", chr(92) + "$")}" & wait', stop=(step,))
    with trio.fail_after(10):
        async with open_process(script) as process:
            await process.find_line(pid_in)
            await process.stop()
        assert ("cleaned up" in process.tail) is group


async def test_a_long_line_is_split() -> None:
    """Output without newlines does not fill the memory."""
    with trio.fail_after(10):
        tail = await run(shell("head -c 500000 /dev/zero | tr '\\0' x"))
    assert sum(map(len, tail)) == 500_000
    assert max(map(len, tail)) < MAX_LINE_BYTES + 70_000


async def test_find_line() -> None:
    """It returns the value of `match`; earlier lines are matched, too."""
    with trio.fail_after(5):
        async with open_process(shell("echo pid $$; exec sleep 60")) as process:
            assert await process.find_line(pid_in) == process.pid
            assert await process.find_line(pid_in) == process.pid


async def test_find_line_ends_with_the_process() -> None:
    """The error has the status and the output."""
    with trio.fail_after(5), pytest.raises(ProcessExited) as caught:
        async with open_process(shell("echo starting; echo no such luck >&2; exit 3")) as process:
            await process.find_line(pid_in)
    assert caught.value.status == 3
    assert set(caught.value.tail) == {"starting", "no such luck"}


async def test_required_ends_with_the_process() -> None:
    """A kill from outside is detected at once; the message names the signal."""
    with trio.fail_after(5):
        async with open_process(shell("exec sleep 60")) as process:
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(ProcessExited, match="child was killed by SIGKILL"), process.required():
                await trio.sleep_forever()


async def test_required_after_the_end_of_the_process() -> None:
    """The block is cancelled at its first checkpoint."""
    with trio.fail_after(5):
        async with open_process(shell("exit 0")) as process:
            await process.wait()
            with pytest.raises(ProcessExited, match="child exited with status 0"), process.required():
                await trio.sleep_forever()


async def test_leaving_the_block_stops_the_process() -> None:
    """It has time to handle the first signal, and its last output is read."""
    script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with trio.fail_after(5):
        async with open_process(shell(script)) as process:
            await process.find_line(lambda line: line == "ready" or None)
    assert await process.wait() == 0
    assert process.tail[-1] == "bye"


async def test_a_process_that_does_not_end_is_killed_with_its_group() -> None:
    """After the last step SIGKILL goes to its whole process group."""
    script = "trap '' TERM; sleep 61 & echo pid $!; while :; do sleep 0.05; done"
    with trio.fail_after(5):
        async with open_process(shell(script, stop=QUICK)) as process:
            grandchild = await process.find_line(pid_in)
        assert await process.wait() == -signal.SIGKILL
        await ended(grandchild)


async def test_each_step_of_a_stop_is_tried() -> None:
    """A second signal follows if the first has no effect."""
    script = "trap '' TERM; trap 'exit 5' INT; echo ready; while :; do sleep 0.02; done"
    stop = (*QUICK, StopStep(signal=signal.SIGINT, grace=4))
    with trio.fail_after(5):
        async with open_process(shell(script, stop=stop)) as process:
            await process.find_line(lambda line: line == "ready" or None)
    assert await process.wait() == 5


async def test_a_cancelled_block_leaves_no_process() -> None:
    """The stop is shielded from the cancellation that causes it."""
    with trio.fail_after(5):
        with trio.CancelScope() as scope:
            async with open_process(shell("exec sleep 60")) as process:
                scope.cancel()
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert await process.wait() == -signal.SIGTERM


async def test_an_error_in_the_block_is_not_wrapped() -> None:
    """It is not put into an exception group."""
    with trio.fail_after(5), pytest.raises(KeyError, match="mine"):
        async with open_process(shell("exec sleep 60")):
            raise KeyError("mine")


async def test_stdin_carries_a_secret_that_is_not_logged() -> None:
    """It is written at the start, and is neither in the log nor in the repr."""
    command = shell("read word; test ${#word} = 4 && echo right; cat", stdin=b"hush\n")
    with trio.fail_after(5), structlog.testing.capture_logs() as logs:
        async with open_process(command) as process:
            await process.find_line(lambda line: line == "right" or None)
            assert not process.tail[1:]  # cat waits: stdin is still open
    assert "hush" not in repr(logs)
    assert "hush" not in repr(command)


async def test_stdin_can_be_closed_after_the_input() -> None:
    """The process reads end of file."""
    with trio.fail_after(5):
        assert await run(shell("cat", stdin=b"a\nb\n", hold_stdin=False)) == ("a", "b")


async def test_a_failed_command() -> None:
    """`run` raises for any status but 0."""
    with trio.fail_after(5), pytest.raises(ProcessExited, match="child exited with status 7: broken"):
        await run(shell("echo broken; exit 7"))


async def test_a_missing_program() -> None:
    """The message names it."""
    with trio.fail_after(5), pytest.raises(ProcessExited, match=r"status 127: .*/no/such/program"):
        await run(Command(name="ghost", argv=("/no/such/program",)))


async def test_a_missing_working_directory() -> None:
    """The message names it."""
    with pytest.raises(ProcessNotStarted, match=r"child cannot be started: .*/no/such/folder"):
        await run(shell("true", cwd=Path("/no/such/folder")))


OWNER = """
import trio
from actors.services import Command, open_process

async def main():
    async with open_process(Command(name="child", argv=("sleep", "62"))) as process:
        print("pid", process.pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_killing_the_parent_kills_the_child() -> None:
    """By the parent-death signal."""
    owner = Command(name="owner", argv=(sys.executable, "-c", OWNER))
    with trio.fail_after(10):
        async with open_process(owner) as process:
            pid = await process.find_line(pid_in)
            os.kill(process.pid, signal.SIGKILL)
            await ended(pid)
