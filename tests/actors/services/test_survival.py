from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import trio

from actors.services import Command, PostgresServer, ValkeyServer, open_data_dir, open_process
from actors.services.data_dir import owner

from .waiting import ended, supervised

OWNER = """
import json, sys
from pathlib import Path
import trio
from actors.services import PostgresServer, ValkeyServer, open_data_dir
from runtime import Address, ChildSpec, SupervisorSpec, open_system

async def main():
    with open_data_dir(Path(sys.argv[1])) as data_dir:
        children = (
            ChildSpec(address=Address("postgres"), start=lambda: PostgresServer(data_dir)),
            ChildSpec(address=Address("valkey"), start=lambda: ValkeyServer(data_dir)),
        )
        async with open_system(SupervisorSpec(address=Address("services"), children=children)) as system:
            print(json.dumps([child.detail["pid"] for child in system.snapshot().children]), flush=True)
            await trio.sleep_forever()

trio.run(main)
"""


def pids_in(line: str) -> list[int] | None:
    return json.loads(line) if line.startswith("[") and line.endswith("]") and line[1].isdigit() else None


async def test_killing_the_owner_leaves_no_server_and_no_lock(tmp_path: Path) -> None:
    """The kernel kills its servers; the next owner starts on the same data."""
    command = Command(name="owner", argv=(sys.executable, "-c", OWNER, str(tmp_path)))
    with trio.fail_after(30):
        async with open_process(command) as process:
            pids = await process.find_line(pids_in)
            assert len(pids) == 2
            assert owner(tmp_path) == process.pid
            os.kill(process.pid, signal.SIGKILL)
            for pid in pids:
                await ended(pid)
            await process.wait()
    with open_data_dir(tmp_path) as data_dir:
        async with supervised(lambda: PostgresServer(data_dir)), supervised(lambda: ValkeyServer(data_dir)):
            pass
