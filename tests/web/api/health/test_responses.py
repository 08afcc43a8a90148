from __future__ import annotations

from dataclasses import replace

import pytest

from actors.monitor.messages import HealthView
from actors.monitor.status import ServiceName, ServiceStatus, overall_of
from runtime import ChildState, Kind, MailboxStatistics, Node
from web.api.health.responses import (
    REQUIRED_ACTORS,
    component,
    detailed_json,
    health_json,
    is_started,
    missing_requirements,
    no_health_json,
)
from web.api.serializers import Json

from ....builders import NOON, service_health

DATABASE, REDIS, PORTAL = ServiceName.DATABASE, ServiceName.REDIS, ServiceName.EXTERNAL_API


def node(
    name: str, state: ChildState = ChildState.RUNNING, *children: Node, error: str | None = None
) -> Node:
    return Node(
        id=name,
        path=name,
        kind=Kind.WORKER,
        state=state,
        restarts=0,
        last_error=error,
        uptime=1.0,
        retry_in=None,
        mailbox=MailboxStatistics(depth=0, capacity=1, high_water=0),
        detail={},
        children=children,
    )


def tree(
    writer: ChildState = ChildState.RUNNING,
    mirror: ChildState = ChildState.RUNNING,
    *,
    root: ChildState = ChildState.RUNNING,
) -> Node:
    return node(
        "botvisor",
        root,
        node("database", ChildState.RUNNING, node("db_writer", writer, error="gone")),
        node("mirror", ChildState.RUNNING, node("redis_sync", mirror, error="gone")),
    )


def view(**statuses: ServiceStatus) -> HealthView:
    """A view in which every service is healthy except these."""
    services = tuple(
        service_health(name)
        if name not in statuses
        else service_health(name, status=statuses[name], error=f"{name} is unavailable")
        for name in ServiceName
    )
    return HealthView(
        services=services,
        overall=overall_of((service.name, service.status) for service in services),
        interval=30.0,
    )


def body(seen: HealthView | None, of: Node | None = None) -> Json:
    return health_json(of or tree(), seen, NOON)


def test_everything_healthy():
    """Both vocabularies report it."""
    response = body(view())
    assert response["status"] == "healthy"
    assert response["checks"] == {"database": "healthy", "redis": "healthy"}
    assert response["components"] == {
        "api": {"status": "healthy", "message": "answers"},
        "database": {"status": "healthy", "message": "database answered"},
        "redis": {"status": "healthy", "message": "redis answered"},
        "scrapers": {
            "status": "not_configured",
            "message": "no scraper is configured",
            "total_scrapers": 0,
        },
    }
    assert response["issues"] == []


@pytest.mark.parametrize("status", [ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED])
def test_a_broken_service_is_an_issue(status: ServiceStatus):
    """With the sentence of the health registry."""
    response = body(view(redis=status))
    assert response["status"] == "degraded"
    assert response["checks"] == {"database": "healthy", "redis": "unhealthy: redis is unavailable"}
    assert response["issues"] == ["redis: unhealthy: redis is unavailable"]


def test_three_issues_are_unhealthy():
    """One and two leave it degraded; other services than the two of ``checks`` count too."""
    broken = [DATABASE, REDIS, PORTAL]
    statuses = [
        body(view(**dict.fromkeys(broken[:count], ServiceStatus.DISCONNECTED)))["status"]
        for count in range(4)
    ]
    assert statuses == ["healthy", "degraded", "degraded", "unhealthy"]


@pytest.mark.parametrize(
    ("seen", "actor", "text"),
    [
        (view(), node("x"), "healthy"),
        (view(), None, "not_configured"),
        (view(), node("x", ChildState.BACKOFF, error="gone"), "unhealthy: gone"),
        (view(), node("x", ChildState.STARTING), "unhealthy: starting"),
        (view(database=ServiceStatus.DISCONNECTED), node("x"), "unhealthy: database is unavailable"),
        (
            view(database=ServiceStatus.DISCONNECTED),
            node("x", ChildState.BACKOFF, error="gone"),
            "unhealthy: database is unavailable",
        ),
        (view(database=ServiceStatus.UNKNOWN), node("x"), "unhealthy: unknown: database is unavailable"),
        (None, node("x"), "unhealthy: unknown: the health registry gives no answer"),
    ],
)
def test_a_component_is_healthy_if_its_check_is_and_its_actor_runs(
    seen: HealthView | None, actor: Node | None, text: str
):
    """Anything else is unhealthy, with the reason."""
    assert component(actor, seen, DATABASE).text == text


def test_a_service_before_its_first_check():
    """It is not healthy."""
    fresh = service_health(
        DATABASE, status=ServiceStatus.UNKNOWN, last_check=None, latency_ms=None, evidence=None
    )
    seen = HealthView(services=(fresh,), overall=overall_of([]), interval=30.0)
    assert component(node("x"), seen, DATABASE).text == "unhealthy: unknown: not checked yet"


def test_warnings_are_listed():
    """An eviction policy is a warning and does not make Redis unhealthy."""
    seen = view()
    warned = replace(seen.services[1], warning="set it to noeviction")
    response = detailed_json(replace(seen, services=(seen.services[0], warned, *seen.services[2:])))
    assert response["warnings"] == ["set it to noeviction"]
    assert response["overall_status"] == "healthy"
    assert (response["monitoring_active"], response["check_interval"]) == (True, 30)


def test_no_health_has_the_fields_of_the_detailed_response():
    """Clients can read either."""
    seen, unseen = detailed_json(view()), no_health_json()
    assert unseen.keys() - seen.keys() == {"error"}
    services, unknown = seen["services"], unseen["services"]
    assert isinstance(services, dict)
    assert isinstance(unknown, dict)
    assert {name: facts.keys() for name, facts in services.items()} == {
        name: facts.keys() for name, facts in unknown.items()
    }


@pytest.mark.parametrize(
    ("of", "seen", "reasons"),
    [
        (tree(), view(), []),
        (tree(), view(redis=ServiceStatus.DISCONNECTED, external_api=ServiceStatus.UNHEALTHY), []),
        (tree(mirror=ChildState.BACKOFF), view(), []),
        (tree(), view(database=ServiceStatus.DISCONNECTED), ["database is disconnected"]),
        (tree(), view(database=ServiceStatus.UNKNOWN), ["database is unknown"]),
        (tree(), None, ["database is unknown"]),
        (tree(writer=ChildState.BACKOFF), view(), ["database writer is not running"]),
        (tree(root=ChildState.STARTING), view(), ["start-up has not finished"]),
        (None, view(), ["start-up has not finished"]),
    ],
)
def test_readiness_needs_start_up_the_database_and_its_writer(
    of: Node | None, seen: HealthView | None, reasons: list[str]
):
    """Redis and the portal may be unavailable."""
    assert missing_requirements(of, seen) == reasons


def test_a_started_tree_stays_started():
    """Also while it stops."""
    assert [is_started(tree(root=state)) for state in (ChildState.STARTING, ChildState.RUNNING)] == [
        False,
        True,
    ]
    assert is_started(tree(root=ChildState.STOPPING))


def test_every_required_actor_is_of_a_checked_service():
    """``checks`` lists checked services only."""
    assert set(REQUIRED_ACTORS) <= set(ServiceName)
