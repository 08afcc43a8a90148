from __future__ import annotations

from actors.sessions.messages import RosterMessage
from runtime import Address, ChildFailed
from runtime.testing import next_event, run_actor
from web.api.health import health_of

from ..parts import Break, Desk, House, client, living


async def test_all_is_well_while_the_actors_run():
    """The keys of both vocabularies are there."""
    house = House()
    async with living(house), client(house) as http:
        answer = await http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["service"]) == ("healthy", "AtoZ Bot Dashboard API")
    assert health["checks"] == {"database": "healthy", "redis": "healthy"}
    assert health["components"].keys() == {"api", "database", "redis"}
    assert {"timestamp", "version"} <= health.keys()


async def test_an_actor_in_backoff_is_an_unhealthy_part():
    """With its own last error, at this moment, not at the last check."""
    house = House()
    with house.bus.subscribe(ChildFailed) as failures:
        async with living(house), client(house) as http:
            house.writer.tell_nowait(Break(reason="connection refused"))
            await next_event(failures, ChildFailed)
            health = (await http.get("/health")).json()
    assert health["status"] == "degraded"
    assert health["checks"] == {"database": "unhealthy: connection refused", "redis": "healthy"}
    assert health["components"]["database"] == {"status": "unhealthy", "message": "connection refused"}
    assert health["issues"] == ["database: unhealthy: connection refused"]


async def test_a_part_without_an_actor_is_not_configured():
    """Nothing is assumed of it."""
    desk: Address[RosterMessage] = Address("desk")
    async with run_actor(lambda: Desk([]), desk) as system:
        health = health_of(system.snapshot())
    assert health["checks"] == {"database": "not_configured", "redis": "not_configured"}
    assert health["status"] == "healthy"


async def test_the_media_type_is_the_one_that_was_asked_for():
    """application/health+json by Accept, else plain JSON."""
    house = House()
    async with living(house), client(house) as http:
        plain = await http.get("/health")
        health = await http.get("/health", headers={"Accept": "application/health+json"})
        odd = await http.get("/health", headers={"Accept": "image/png"})
    assert plain.headers["content-type"] == odd.headers["content-type"] == "application/json"
    assert health.headers["content-type"] == "application/health+json"


async def test_liveness_depends_on_nothing():
    """The process answers, so it lives."""
    house = House(roster_answers=False)
    async with living(house), client(house) as http:
        assert (await http.get("/livez")).json() == {"status": "ok"}
