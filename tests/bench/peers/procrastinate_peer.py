"""procrastinate, measured like our queue: ``python procrastinate_peer.py CONNINFO JOBS``."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

import procrastinate

conninfo, count = sys.argv[1], int(sys.argv[2])
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, max_size=32))


@app.task(queue="bench")
async def noop(n: int) -> None:
    return None


async def main() -> None:
    async with app.open_async():
        with suppress(
            procrastinate.exceptions.ConnectorException
        ):  # the schema exists since the round before
            await app.schema_manager.apply_schema_async()
        jobs = count // 10
        began = time.perf_counter()
        for n in range(jobs):
            await noop.defer_async(n=n)
        added = jobs / (time.perf_counter() - began)
        began = time.perf_counter()
        await noop.batch_defer_async(*({"n": n} for n in range(jobs, count)))
        bulk = (count - jobs) / (time.perf_counter() - began)
        began = time.perf_counter()
        await app.run_worker_async(concurrency=100, wait=False, install_signal_handlers=False)
        figures = {
            "add_by_1": added,
            "add_bulk": bulk,
            "processed": count / (time.perf_counter() - began),
        }
        print(json.dumps(figures))  # noqa: T201


asyncio.run(main())
