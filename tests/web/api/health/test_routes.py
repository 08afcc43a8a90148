from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
import trio
from pydantic import SecretStr

from actors.monitor.checks.websocket import WebSocketCheck
from actors.monitor.status import ServiceName, ServiceStatus
from runtime import ChildFailed
from runtime.testing import next_event
from web.api.health.responses import find

from ...parts.actors import Break
from ...parts.application import House, client, living
from ...parts.views import service_health, web_settings

TOKEN = "a token of sixteen characters"
FACTS = {"status", "last_check", "retry_count", "latency_ms", "error", "evidence", "warning"}


def broken(name: ServiceName, status: ServiceStatus = ServiceStatus.DISCONNECTED) -> House:
    """A house where one service does not work."""
    application = House()
    application.services[name] = service_health(name, status=status, error="nobody is there", retry_count=2)
    return application


async def test_all_is_well():
    """The keys of both vocabularies are there."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["service"]) == ("healthy", "AtoZ Bot Dashboard API")
    assert health["version"] == "2.0.0"
    assert health["checks"] == {"database": "healthy", "redis": "healthy"}
    assert health["components"].keys() == {"api", "database", "redis", "scrapers"}
    assert health["components"]["scrapers"].keys() == {"status", "message", "total_scrapers"}
    assert "timestamp" in health


async def test_a_service_that_does_not_work_is_told_of():
    """As an issue; the process itself answers as before."""
    application = broken(ServiceName.DATABASE)
    async with living(application), client(application) as http:
        answer = await http.get("/health")
    health = answer.json()
    assert (answer.status_code, health["status"]) == (200, "degraded")
    assert health["checks"] == {"database": "unhealthy: nobody is there", "redis": "healthy"}
    assert health["components"]["database"] == {"status": "unhealthy", "message": "nobody is there"}
    assert health["issues"] == ["database: unhealthy: nobody is there"]


async def test_three_issues_are_503():
    """So that a watcher that reads the status only hears of it."""
    application = broken(ServiceName.DATABASE)
    for name in (ServiceName.REDIS, ServiceName.EXTERNAL_API):
        application.services[name] = service_health(name, status=ServiceStatus.DISCONNECTED, error="no")
    async with living(application), client(application) as http:
        answer = await http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_an_actor_in_backoff_is_an_unhealthy_part():
    """With its own last error, at this moment, not at the last look."""
    application = House()
    with application.bus.subscribe(ChildFailed) as failures:
        async with living(application), client(application) as http:
            application.writer.tell_nowait(Break(reason="connection refused"))
            await next_event(failures, ChildFailed)
            health = (await http.get("/health")).json()
            ready = await http.get("/readyz")
    assert health["status"] == "degraded"
    assert health["checks"] == {"database": "unhealthy: connection refused", "redis": "healthy"}
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["nothing can be recorded at the moment"]


async def test_the_media_type_is_the_one_that_was_asked_for():
    """application/health+json by Accept, else plain JSON."""
    application = House()
    async with living(application), client(application) as http:
        plain = await http.get("/health")
        health = await http.get("/health", headers={"Accept": "application/health+json"})
        odd = await http.get("/health", headers={"Accept": "image/png"})
    assert plain.headers["content-type"] == odd.headers["content-type"] == "application/json"
    assert health.headers["content-type"] == "application/health+json"


async def test_every_service_in_detail():
    """With when it was seen, for how long, and what was seen."""
    application = broken(ServiceName.WEBSOCKET, ServiceStatus.UNHEALTHY)
    async with living(application), client(application) as http:
        answer = await http.get("/health/detailed")
    assert answer.status_code == 200
    health = answer.json()
    assert health["overall_status"] == "degraded"
    assert list(health["services"]) == ["database", "redis", "bot_process", "external_api", "websocket"]
    assert all(facts.keys() == FACTS for facts in health["services"].values())
    assert health["services"]["websocket"] == {
        "status": "unhealthy",
        "last_check": "2026-03-01T12:00:00+00:00",
        "retry_count": 2,
        "latency_ms": 1.5,
        "error": "nobody is there",
        "evidence": "websocket answered",
        "warning": None,
    }
    assert (health["monitoring_active"], health["check_interval"], health["warnings"]) == (True, 30, [])
    assert "error" not in health


async def test_a_redis_that_evicts_is_warned_of():
    """It may be healthy otherwise."""
    application = House()
    application.services[ServiceName.REDIS] = service_health(
        ServiceName.REDIS, warning="set it to noeviction"
    )
    async with living(application), client(application) as http:
        health = (await http.get("/health/detailed")).json()
    assert health["warnings"] == ["set it to noeviction"]
    assert health["services"]["redis"]["warning"] == "set it to noeviction"
    assert health["overall_status"] == "healthy"


async def test_a_monitor_that_gives_no_answer_is_an_error():
    """And nothing is healthy, as nobody knows; it is said within moments."""
    application = House(monitor_is_mute=True)
    answers: dict[str, httpx.Response] = {}

    async def get(path: str) -> None:
        answers[path] = await http.get(path)

    async with living(application), client(application) as http:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for path in ("/health", "/health/detailed", "/health/service/redis", "/readyz"):
                    nursery.start_soon(get, path)
    health, detailed, one, ready = (answers[path] for path in sorted(answers))
    assert (detailed.status_code, detailed.json()["overall_status"]) == (503, "error")
    assert detailed.json()["error"] == "the monitor gives no answer"
    assert not detailed.json()["monitoring_active"]
    assert {facts["status"] for facts in detailed.json()["services"].values()} == {"unknown"}
    assert health.json()["checks"]["database"] == "unhealthy: not known: the monitor gives no answer"
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["database is unknown"])
    assert one.status_code == 503


@pytest.mark.parametrize("name", list(ServiceName))
async def test_one_service(name: ServiceName):
    """By its name."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.get(f"/health/service/{name}")
    assert answer.status_code == 200
    assert answer.json().keys() == {"name", *FACTS}
    assert (answer.json()["name"], answer.json()["status"]) == (name, "healthy")


async def test_a_service_that_nobody_watches_is_a_problem():
    """404, as a problem that every client can read."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.get("/health/service/postgres")
    assert answer.status_code == 404
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "no_such_service"
    assert problem["detail"] == problem["error"]


async def test_a_check_can_be_forced():
    """It answers with what the services are now."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.post("/health/force-check")
    assert answer.status_code == 200
    checked = answer.json()
    assert checked.keys() == {"message", "timestamp", "overall_status", "services"}
    assert checked["message"] == "All services were checked: healthy"
    assert checked["services"].keys() == set(ServiceName)
    assert application.forced_checks == 1


async def test_liveness_depends_on_nothing():
    """The process answers, so it lives."""
    application = House(roster_answers=False, monitor_is_mute=True)
    async with living(application), client(application) as http:
        assert (await http.get("/livez")).json() == {"status": "ok"}


async def test_ready_is_who_can_record():
    """Redis and the portal may be away; PostgreSQL may not."""
    application = broken(ServiceName.REDIS)
    async with living(application), client(application) as http:
        ready = await http.get("/readyz")
        application.services[ServiceName.DATABASE] = service_health(
            ServiceName.DATABASE, status=ServiceStatus.DISCONNECTED, error="nobody is there"
        )
        unready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
    assert (unready.status_code, unready.json()) == (
        503,
        {"status": "not ready", "reasons": ["database is disconnected"]},
    )


async def test_started_is_who_has_all_children():
    """The test's house has them before it can be asked."""
    application = House()
    async with living(application), client(application) as http:
        answer = await http.get("/startupz")
    assert (answer.status_code, answer.json()) == (200, {"status": "started"})


async def test_only_the_bare_facts_are_for_everybody():
    """An orchestrator shows no token; whoever wants to know more does."""
    application = House(settings=web_settings(token=SecretStr(TOKEN)))
    async with living(application), client(application) as http:
        bare = [(await http.get(path)).status_code for path in ("/livez", "/readyz", "/startupz")]
        more = [(await http.get(path)).status_code for path in ("/health", "/health/detailed")]
        shown = await http.get("/health", headers={"Authorization": f"Bearer {TOKEN}"})
    assert bare == [200, 200, 200]
    assert more == [401, 401]
    assert shown.status_code == 200


async def test_the_monitor_is_a_client_for_a_moment():
    """It shows the token, hears a first message and a pong, and is gone; one that shows none is refused."""
    settings = web_settings(token=SecretStr(TOKEN))
    application = House(settings=settings)
    async with living(application):
        here = replace(settings, port=application.port)
        with trio.fail_after(5):
            welcome = await WebSocketCheck(here)()
            refused = await WebSocketCheck(replace(here, token=SecretStr("")))()
            while True:
                if not clients(application):
                    break
                await trio.sleep(0.01)
    away = await WebSocketCheck(here)()
    assert (welcome.status, refused.status) == (ServiceStatus.HEALTHY, ServiceStatus.UNHEALTHY)
    assert refused.error == f"ws://127.0.0.1:{application.port}/ws refused the handshake with 401"
    assert away.status is ServiceStatus.DISCONNECTED
    assert TOKEN not in f"{welcome} {refused} {away}"


def clients(application: House) -> object:
    """How many the hub feeds."""
    assert application.system is not None
    hub = find(application.system.snapshot(), "web/hub")
    assert hub is not None
    return hub.detail["clients"]
