"""A tree as a whole process: started, stopped by a signal, and its end as an exit code."""

from __future__ import annotations

import sys
from enum import IntEnum

import trio

from ._bus import Bus
from ._errors import IntensityReached, InvalidSpec, StartFailed, describe
from ._signals import until_signal
from ._spec import SupervisorSpec
from ._system import open_system


class ExitCode(IntEnum):
    """What a process that is a tree ends with."""

    OK = 0
    START_FAILED = 1
    """Something that a child needs was not there."""
    MISCONFIGURED = 2
    """A person has to change something."""
    GAVE_UP = 3
    """The root reached its restart intensity; whoever runs the process may start it afresh."""

    @classmethod
    def of(cls, error: BaseException | None) -> ExitCode:
        """The code for what ``open_system`` raised; what it does not know is raised again."""
        match error:
            case None:
                return cls.OK
            case StartFailed():
                return cls.START_FAILED
            case InvalidSpec():
                return cls.MISCONFIGURED
            case IntensityReached():
                return cls.GAVE_UP
            case _:
                raise error


def run(spec: SupervisorSpec, *, bus: Bus | None = None, stop_timeout: float = 30.0) -> ExitCode:
    """Run a tree until SIGINT or SIGTERM, or its own end; what ended it is told on standard error."""
    try:
        trio.run(_until_signal, spec, bus, stop_timeout)
    except (StartFailed, InvalidSpec, IntensityReached) as error:
        sys.stderr.write(f"{describe(error)}\n")
        return ExitCode.of(error)
    return ExitCode.OK


async def _until_signal(spec: SupervisorSpec, bus: Bus | None, stop_timeout: float) -> None:
    # The signals come first: one during the start is to be heard too.
    async with until_signal(), open_system(spec, bus=bus, stop_timeout=stop_timeout) as system:
        await system.ended()
