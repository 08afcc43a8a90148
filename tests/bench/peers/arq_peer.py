"""arq, measured like our queue: ``python arq_peer.py SOCKET JOBS``."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

socket, count = sys.argv[1], int(sys.argv[2])
settings = RedisSettings(unix_socket_path=socket)


async def noop(ctx: dict, n: int) -> None:
    return None


async def main() -> None:
    pool = await create_pool(settings)
    await pool.flushdb()
    jobs = count // 10
    began = time.perf_counter()
    for n in range(jobs):
        await pool.enqueue_job("noop", n)
    added = jobs / (time.perf_counter() - began)
    next_jobs = iter(range(jobs, count))
    began = time.perf_counter()

    async def caller() -> None:
        for n in next_jobs:
            await pool.enqueue_job("noop", n)

    await asyncio.gather(*(caller() for _ in range(32)))
    added_by_32 = (count - jobs) / (time.perf_counter() - began)
    worker = Worker([noop], redis_settings=settings, burst=True, max_jobs=100, poll_delay=0.01, keep_result=0)
    began = time.perf_counter()
    await worker.main()
    figures = {
        "add_by_1": added,
        "add_by_32": added_by_32,
        "processed": count / (time.perf_counter() - began),
    }
    print(json.dumps(figures))  # noqa: T201


asyncio.run(main())
