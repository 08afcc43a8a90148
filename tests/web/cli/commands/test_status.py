"""`botvisor status`: an instance in a few lines."""

from __future__ import annotations

import json

from ..command import botvisor
from ..site import ANSWERS, BOT, site


async def test_status_sums_up(home: dict[str, str]):
    """The bot, how many actors are well, and which are not."""
    with site(ANSWERS) as url:
        ended = await botvisor(home, "status", "--url", url)
        parsed = json.loads((await botvisor(home, "status", "--url", url, "--json")).out)
    assert ended.code == 0
    assert [line.split(maxsplit=1) for line in ended.out.splitlines()] == [
        ["instance", f"running at {url}, up 1h 2m"],
        ["session", "running Session_1, login success"],
        ["jobs", "12 checks, 3 accepted, 2 rejected"],
        ["actors", "1 running, 1 backoff; 3 restarts"],
        ["backoff", "botvisor/database/db_writer: connection refused \N{REPLACEMENT CHARACTER}[31m[bold]"],
    ]
    assert parsed == {
        "url": url,
        "bot": BOT,
        "supervisor": {"states": {"running": 1, "backoff": 1}, "restarts": 3},
    }
