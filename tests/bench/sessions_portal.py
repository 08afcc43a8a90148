"""The portal of the sessions benchmark: the practice portal without faults, which counts its requests.

``python -m tests.bench.sessions_portal FOLDER`` prints its address as one line of
JSON; the reply to each line of stdin has the requests since the last one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio import serve  # pyright: ignore[reportUnknownVariableType] - WSGI's part
from quart import request

from web.practice import ledger
from web.practice.market import Market
from web.practice.settings import read_settings
from web.practice.site import Site
from web.practice.world import World

from ..web.practice.portal_process import QUIET, portal_settings

ARRIVAL_SECONDS: Final = 2.0
"""Between two jobs, as by default."""


async def main(folder: Path) -> None:
    """Serve until stdin ends."""
    # Our sessions and those of the bare scripts are logged in at the same time.
    ledger.MAX_SESSIONS = 10_000
    settings = read_settings(
        json.dumps(portal_settings(folder / "portal.sqlite", **QUIET | {"arrival_seconds": ARRIVAL_SECONDS}))
    )
    market = Market(
        seed=settings.seed,
        initial_jobs=settings.initial_jobs,
        arrival_seconds=settings.arrival_seconds,
        taken_share=settings.taken_share,
        taken_after_seconds=settings.taken_after_seconds,
    )
    requests: Counter[str] = Counter()
    with ledger.open_ledger(Path(settings.state_file)) as opened:
        site = Site(World(opened, market, monotonic=trio.current_time), settings)

        @site.app.before_request
        async def count() -> None:
            requests[f"{request.method} {request.endpoint}"] += 1

        config = Config()
        config.bind = ["127.0.0.1:0"]
        config.backlog = 1024
        # A request on a connection that the server just closes fails.
        config.keep_alive_timeout = 3600
        config.errorlog = logging.getLogger("hypercorn.error")
        async with trio.open_nursery() as nursery:
            (url,) = await nursery.start(serve, site.app, config)
            _send(url)
            async for _ in trio.wrap_file(sys.stdin):
                _send(dict(requests))
                requests.clear()
            nursery.cancel_scope.cancel()


def _send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    trio.run(main, Path(sys.argv[1]))
