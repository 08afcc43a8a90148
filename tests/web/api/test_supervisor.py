from __future__ import annotations

from datetime import datetime

from runtime import ChildFailed
from runtime.testing import next_event

from ..parts import Break, House, client, living


async def test_the_whole_tree_is_shown():
    """Each node with its state, and the children below it."""
    house = House()
    async with living(house), client(house) as http:
        answer = (await http.get("/api/supervisor/status")).json()
    tree = answer["tree"]
    assert datetime.fromisoformat(answer["timestamp"]).tzinfo is not None
    assert [child["id"] for child in tree["children"]] == ["records", "mirror", "sessions", "web"]
    hub, server = tree["children"][3]["children"]
    assert hub["path"] == "botvisor/web/hub"
    assert hub["mailbox"].keys() == {"depth", "capacity", "high_water"}
    assert server["detail"] == {"url": house.url}
    assert (server["state"], server["restarts"], server["backoff_until"]) == ("running", 0, None)
    assert server["uptime_seconds"] >= 0


async def test_a_child_in_backoff_says_until_when():
    """And why."""
    house = House()
    with house.bus.subscribe(ChildFailed) as failures:
        async with living(house), client(house) as http:
            house.mirror.tell_nowait(Break(reason="power cut"))
            await next_event(failures, ChildFailed)
            answer = (await http.get("/api/supervisor/status")).json()
    (sync,) = answer["tree"]["children"][1]["children"]
    assert (sync["state"], sync["last_error"]) == ("backoff", "power cut")
    wait = datetime.fromisoformat(sync["backoff_until"]) - datetime.fromisoformat(answer["timestamp"])
    assert 50 < wait.total_seconds() <= 60
