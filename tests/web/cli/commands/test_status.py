"""`botvisor status`: a summary of the instance."""

from __future__ import annotations

import json

from ..fake_instance import BOT, RESPONSES, fake_instance
from ..process import botvisor


async def test_status(home: dict[str, str]):
    """The bot, actor states, and failed actors."""
    with fake_instance(RESPONSES) as url:
        result = await botvisor(home, "status", "--url", url)
        parsed = json.loads((await botvisor(home, "status", "--url", url, "--json")).out)
    assert result.code == 0
    assert [line.split(maxsplit=1) for line in result.out.splitlines()] == [
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
