"""An actor that runs a server process: ready when the server answers, failed when the process ends.

Subclasses define the program, its settings and its readiness check; the supervisor restarts it.
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

    Subclasses define what to run (:meth:`prepare`) and when it is ready (:meth:`ready`). After that, the end
    of the process, whatever its status, fails the actor with `ProcessExited`. ``context.detail`` has its pid
    and its address.
    """

    ready_timeout: ClassVar[float] = 25.0
    """Seconds from the spawn until it must be ready; less than the child spec's ``start_timeout``."""

    async def prepare(self) -> Command:
        """Prepare the start and return the command to run."""
        raise NotImplementedError

    async def ready(self, process: ChildProcess) -> str:
        """Wait until the server is ready and return its address. Cancelled when the process ends."""
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
