from __future__ import annotations

from datetime import datetime

from runtime import ChildFailed
from runtime.testing import next_event

from ...fakes.actors import Fail
from ...fakes.application import FakeApplication, client, serving


async def test_the_whole_tree_is_shown():
    """With the state of every node."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = (await http.get("/api/supervisor/status")).json()
    tree = answer["tree"]
    assert datetime.fromisoformat(answer["timestamp"]).tzinfo is not None
    names = [child["id"] for child in tree["children"]]
    assert names == ["database", "mirror", "monitor", "queue", "sessions", "web"]
    hub, server = tree["children"][-1]["children"]
    assert hub["path"] == "botvisor/web/hub"
    assert hub["mailbox"].keys() == {"depth", "capacity", "high_water"}
    assert server["detail"] == {"url": application.url}
    assert (server["state"], server["restarts"], server["backoff_until"]) == ("running", 0, None)
    assert server["uptime_seconds"] >= 0


async def test_a_child_in_backoff_has_its_restart_time():
    """And its error."""
    application = FakeApplication()
    with application.bus.subscribe(ChildFailed) as failures:
        async with serving(application), client(application) as http:
            application.mirror.tell_nowait(Fail(reason="power cut"))
            await next_event(failures, ChildFailed)
            answer = (await http.get("/api/supervisor/status")).json()
    (sync,) = answer["tree"]["children"][1]["children"]
    assert (sync["state"], sync["last_error"]) == ("backoff", "power cut")
    wait = datetime.fromisoformat(sync["backoff_until"]) - datetime.fromisoformat(answer["timestamp"])
    assert 50 < wait.total_seconds() <= 60


async def test_the_ledger_lists_failures_newest_first():
    """With error and outcome."""
    application = FakeApplication()
    with application.bus.subscribe(ChildFailed) as failures:
        async with serving(application), client(application) as http:
            application.mirror.tell_nowait(Fail(reason="power cut"))
            await next_event(failures, ChildFailed)
            (entry, *_) = (await http.get("/api/supervisor/ledger")).json()["entries"]
    assert (entry["path"], entry["error"], entry["outcome"]) == (
        "botvisor/mirror/redis_sync",
        "power cut",
        "waiting",
    )
    assert entry["message"] == "Fail"


async def test_a_dead_letter_can_be_sent_again():
    """By its number; an unknown number is a 409."""
    application = FakeApplication()
    with application.bus.subscribe(ChildFailed) as failures:
        async with serving(application), client(application) as http:
            application.mirror.tell_nowait(Fail(reason="power cut"))
            await next_event(failures, ChildFailed)
            (letter,) = (await http.get("/api/supervisor/dead-letters")).json()["letters"]
            assert (letter["to"], letter["message"]) == ("redis_sync", "Fail")
            again = await http.post(f"/api/supervisor/dead-letters/{letter['number']}/resend")
            assert again.status_code == 200
            gone = await http.post("/api/supervisor/dead-letters/999/resend")
            assert (gone.status_code, gone.json()["code"]) == (409, "not_resent")


async def test_the_load_has_lag_and_slowest_handlers():
    """The lag only if it is measured."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        await http.get("/api/supervisor/status")
        load = (await http.get("/api/supervisor/load")).json()
    assert load.keys() == {"lag", "slowest"}
