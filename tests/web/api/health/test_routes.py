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

from ....builders import service_health, web_settings
from ...fakes.actors import Fail
from ...fakes.application import FakeApplication, client, serving

TOKEN = "a token of sixteen characters"
FACTS = {"status", "last_check", "retry_count", "latency_ms", "error", "evidence", "warning"}


def broken(name: ServiceName, status: ServiceStatus = ServiceStatus.DISCONNECTED) -> FakeApplication:
    """An application with one broken service."""
    application = FakeApplication()
    application.services[name] = service_health(
        name, status=status, error="connection refused", retry_count=2
    )
    return application


async def test_everything_healthy():
    """With the fields of both vocabularies."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["service"]) == ("healthy", "AtoZ Bot Dashboard API")
    assert health["version"] == "2.0.0"
    assert health["checks"] == {"database": "healthy", "redis": "healthy"}
    assert health["components"].keys() == {"api", "database", "redis", "scrapers"}
    assert health["components"]["scrapers"].keys() == {"status", "message", "total_scrapers"}
    assert "timestamp" in health


async def test_a_broken_service_is_an_issue():
    """The response is still 200."""
    application = broken(ServiceName.DATABASE)
    async with serving(application), client(application) as http:
        answer = await http.get("/health")
    health = answer.json()
    assert (answer.status_code, health["status"]) == (200, "degraded")
    assert health["checks"] == {"database": "unhealthy: connection refused", "redis": "healthy"}
    assert health["components"]["database"] == {"status": "unhealthy", "message": "connection refused"}
    assert health["issues"] == ["database: unhealthy: connection refused"]


async def test_three_issues_are_503():
    """For monitors that only read the status."""
    application = broken(ServiceName.DATABASE)
    for name in (ServiceName.REDIS, ServiceName.EXTERNAL_API):
        application.services[name] = service_health(name, status=ServiceStatus.DISCONNECTED, error="no")
    async with serving(application), client(application) as http:
        answer = await http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_an_actor_in_backoff_is_unhealthy():
    """At once, with its last error."""
    application = FakeApplication()
    with application.bus.subscribe(ChildFailed) as failures:
        async with serving(application), client(application) as http:
            application.writer.tell_nowait(Fail(reason="connection refused"))
            await next_event(failures, ChildFailed)
            health = (await http.get("/health")).json()
            ready = await http.get("/readyz")
    assert health["status"] == "degraded"
    assert health["checks"] == {"database": "unhealthy: connection refused", "redis": "healthy"}
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["database writer is not running"]


async def test_the_media_type_follows_accept():
    """application/health+json if accepted, otherwise JSON."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        plain = await http.get("/health")
        health = await http.get("/health", headers={"Accept": "application/health+json"})
        odd = await http.get("/health", headers={"Accept": "image/png"})
    assert plain.headers["content-type"] == odd.headers["content-type"] == "application/json"
    assert health.headers["content-type"] == "application/health+json"


async def test_every_service_in_detail():
    """With time, latency and evidence of the latest check."""
    application = broken(ServiceName.WEBSOCKET, ServiceStatus.UNHEALTHY)
    async with serving(application), client(application) as http:
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
        "error": "connection refused",
        "evidence": "websocket answered",
        "warning": None,
    }
    assert (health["monitoring_active"], health["check_interval"], health["warnings"]) == (True, 30, [])
    assert "error" not in health


async def test_an_evicting_redis_is_a_warning():
    """Its status stays healthy."""
    application = FakeApplication()
    application.services[ServiceName.REDIS] = service_health(
        ServiceName.REDIS, warning="set it to noeviction"
    )
    async with serving(application), client(application) as http:
        health = (await http.get("/health/detailed")).json()
    assert health["warnings"] == ["set it to noeviction"]
    assert health["services"]["redis"]["warning"] == "set it to noeviction"
    assert health["overall_status"] == "healthy"


async def test_a_silent_health_registry_is_an_error():
    """Within seconds; every service is unknown."""
    application = FakeApplication(health_registry_silent=True)
    answers: dict[str, httpx.Response] = {}

    async def get(path: str) -> None:
        answers[path] = await http.get(path)

    async with serving(application), client(application) as http:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                for path in ("/health", "/health/detailed", "/health/service/redis", "/readyz"):
                    nursery.start_soon(get, path)
    health, detailed, one, ready = (answers[path] for path in sorted(answers))
    assert (detailed.status_code, detailed.json()["overall_status"]) == (503, "error")
    assert detailed.json()["error"] == "the health registry gives no answer"
    assert not detailed.json()["monitoring_active"]
    assert {facts["status"] for facts in detailed.json()["services"].values()} == {"unknown"}
    assert health.json()["checks"]["database"] == "unhealthy: unknown: the health registry gives no answer"
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["database is unknown"])
    assert one.status_code == 503


@pytest.mark.parametrize("name", list(ServiceName))
async def test_one_service(name: ServiceName):
    """By name."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get(f"/health/service/{name}")
    assert answer.status_code == 200
    assert answer.json().keys() == {"name", *FACTS}
    assert (answer.json()["name"], answer.json()["status"]) == (name, "healthy")


async def test_an_unknown_service_is_404():
    """As a problem."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get("/health/service/postgres")
    assert answer.status_code == 404
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "no_such_service"
    assert problem["detail"] == problem["error"]


async def test_a_check_can_be_forced():
    """It returns the new statuses."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.post("/health/force-check")
    assert answer.status_code == 200
    checked = answer.json()
    assert checked.keys() == {"message", "timestamp", "overall_status", "services"}
    assert checked["message"] == "All services were checked: healthy"
    assert checked["services"].keys() == set(ServiceName)
    assert application.forced_checks == 1


async def test_liveness_depends_on_nothing():
    """It only reports that the process answers."""
    application = FakeApplication(controller_silent=True, health_registry_silent=True)
    async with serving(application), client(application) as http:
        assert (await http.get("/livez")).json() == {"status": "ok"}


async def test_readiness_depends_on_the_database():
    """And not on Redis or the portal."""
    application = broken(ServiceName.REDIS)
    async with serving(application), client(application) as http:
        ready = await http.get("/readyz")
        application.services[ServiceName.DATABASE] = service_health(
            ServiceName.DATABASE, status=ServiceStatus.DISCONNECTED, error="connection refused"
        )
        unready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
    assert (unready.status_code, unready.json()) == (
        503,
        {"status": "not ready", "reasons": ["database is disconnected"]},
    )


async def test_startup_is_finished_when_all_children_run():
    """Here before the first request."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get("/startupz")
    assert (answer.status_code, answer.json()) == (200, {"status": "started"})


async def test_only_the_probes_are_public():
    """Details need the token."""
    application = FakeApplication(settings=web_settings(token=SecretStr(TOKEN)))
    async with serving(application), client(application) as http:
        bare = [(await http.get(path)).status_code for path in ("/livez", "/readyz", "/startupz")]
        more = [(await http.get(path)).status_code for path in ("/health", "/health/detailed")]
        shown = await http.get("/health", headers={"Authorization": f"Bearer {TOKEN}"})
    assert bare == [200, 200, 200]
    assert more == [401, 401]
    assert shown.status_code == 200


async def test_the_websocket_check_connects_and_disconnects():
    """With the token it is healthy, without it unhealthy."""
    settings = web_settings(token=SecretStr(TOKEN))
    application = FakeApplication(settings=settings)
    async with serving(application):
        here = replace(settings, port=application.port)
        with trio.fail_after(5):
            accepted = await WebSocketCheck(here)()
            refused = await WebSocketCheck(replace(here, token=SecretStr("")))()
            while True:
                if not clients(application):
                    break
                await trio.sleep(0.01)
    unreachable = await WebSocketCheck(here)()
    assert (accepted.status, refused.status) == (ServiceStatus.HEALTHY, ServiceStatus.UNHEALTHY)
    assert refused.error == f"ws://127.0.0.1:{application.port}/ws refused the handshake with 401"
    assert unreachable.status is ServiceStatus.DISCONNECTED
    assert TOKEN not in f"{accepted} {refused} {unreachable}"


def clients(application: FakeApplication) -> object:
    """Number of clients of the hub."""
    assert application.system is not None
    hub = find(application.system.snapshot(), "web/hub")
    assert hub is not None
    return hub.detail["clients"]
