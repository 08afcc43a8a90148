"""An actor that is a server process: started when the server answers, crashed when it ends.

Which program, with which settings, and how to know that it serves, is left to
subclasses; when to start it again, to the supervisor.
"""

from __future__ import annotations

from typing import ClassVar, Final, Never

import structlog
import trio

from runtime import Actor

from .errors import ProcessNotReady
from .process import ChildProcess, Command, open_process

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("services")


class ServerProcess(Actor[Never]):
    """Runs one server as a child process; it takes no messages.

    Subclasses say what to run (:meth:`prepare`) and when it serves
    (:meth:`ready`). After that the end of the process, whatever its status,
    fails the actor with `ProcessExited`. ``context.detail`` shows its pid and
    its address.
    """

    ready_timeout: ClassVar[float] = 25.0
    """Seconds from the spawn until it must serve; below the child spec's ``start_timeout``."""

    async def prepare(self) -> Command:
        """Do what must be done before the start, and say what to run."""
        raise NotImplementedError

    async def ready(self, process: ChildProcess) -> str:
        """Wait until the server serves, and return its address. Ended early when the process ends."""
        raise NotImplementedError

    async def started(self) -> None:
        await self.context.nursery.start(self._serve, await self.prepare())

    async def _serve(self, command: Command, task_status: trio.TaskStatus[None]) -> None:
        detail = self.context.detail
        async with open_process(command) as process:
            detail.update(pid=process.pid, address=None)
            try:
                with process.required():
                    detail["address"] = await self._address(process)
                    LOGGER.info(
                        "server_ready", process=command.name, pid=process.pid, address=detail["address"]
                    )
                    task_status.started()
                    await trio.sleep_forever()
            finally:
                detail["pid"] = None

    async def _address(self, process: ChildProcess) -> str:
        with trio.move_on_after(self.ready_timeout):
            return await self.ready(process)
        raise ProcessNotReady(process.command.name, f"no answer within {self.ready_timeout:g} s")
