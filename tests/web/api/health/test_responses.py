from __future__ import annotations

from dataclasses import replace

import pytest

from actors.monitor.messages import HealthView
from actors.monitor.status import ServiceName, ServiceStatus, overall_of
from runtime import ChildState, Kind, MailboxStatistics, Node
from web.api.health.responses import KEEPERS, check, detailed, health, is_started, out_of_sight, unready
from web.api.serializers import Json

from ...parts.views import NOON, service_health

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
    """All healthy but these, each of which says why."""
    services = tuple(
        service_health(name)
        if name not in statuses
        else service_health(name, status=statuses[name], error=f"{name} is away")
        for name in ServiceName
    )
    return HealthView(
        services=services,
        overall=overall_of((service.name, service.status) for service in services),
        interval=30.0,
    )


def body(seen: HealthView | None, of: Node | None = None) -> Json:
    return health(of or tree(), seen, NOON)


def test_all_is_well():
    """In both vocabularies."""
    told = body(view())
    assert told["status"] == "healthy"
    assert told["checks"] == {"database": "healthy", "redis": "healthy"}
    assert told["components"] == {
        "api": {"status": "healthy", "message": "answers"},
        "database": {"status": "healthy", "message": "database answered"},
        "redis": {"status": "healthy", "message": "redis answered"},
        "scrapers": {
            "status": "not_configured",
            "message": "no scraper is configured",
            "total_scrapers": 0,
        },
    }
    assert told["issues"] == []


@pytest.mark.parametrize("status", [ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED])
def test_what_does_not_work_is_an_issue(status: ServiceStatus):
    """With the monitor's own sentence."""
    told = body(view(redis=status))
    assert told["status"] == "degraded"
    assert told["checks"] == {"database": "healthy", "redis": "unhealthy: redis is away"}
    assert told["issues"] == ["redis: unhealthy: redis is away"]


def test_three_issues_are_too_many():
    """One and two leave it degraded; other services than the two of ``checks`` count too."""
    broken = [DATABASE, REDIS, PORTAL]
    statuses = [
        body(view(**dict.fromkeys(broken[:count], ServiceStatus.DISCONNECTED)))["status"]
        for count in range(4)
    ]
    assert statuses == ["healthy", "degraded", "degraded", "unhealthy"]


@pytest.mark.parametrize(
    ("seen", "keeper", "text"),
    [
        (view(), node("x"), "healthy"),
        (view(), None, "not_configured"),
        (view(), node("x", ChildState.BACKOFF, error="gone"), "unhealthy: gone"),
        (view(), node("x", ChildState.STARTING), "unhealthy: starting"),
        (view(database=ServiceStatus.DISCONNECTED), node("x"), "unhealthy: database is away"),
        (
            view(database=ServiceStatus.DISCONNECTED),
            node("x", ChildState.BACKOFF, error="gone"),
            "unhealthy: database is away",
        ),
        (view(database=ServiceStatus.UNKNOWN), node("x"), "unhealthy: not known: database is away"),
        (None, node("x"), "unhealthy: not known: the monitor gives no answer"),
    ],
)
def test_healthy_is_only_what_was_seen_and_works(seen: HealthView | None, keeper: Node | None, text: str):
    """The server must have been seen, and its actor must run."""
    assert check(keeper, seen, DATABASE).text == text


def test_nobody_has_looked_yet():
    """Which is not healthy, and no reason to guess."""
    fresh = service_health(
        DATABASE, status=ServiceStatus.UNKNOWN, last_check=None, latency_ms=None, evidence=None
    )
    seen = HealthView(services=(fresh,), overall=overall_of([]), interval=30.0)
    assert check(node("x"), seen, DATABASE).text == "unhealthy: not known: nobody has looked yet"


def test_warnings_stand_beside_the_services():
    """A policy that evicts does not make Redis unhealthy, but somebody should hear of it."""
    seen = view()
    warned = replace(seen.services[1], warning="set it to noeviction")
    told = detailed(replace(seen, services=(seen.services[0], warned, *seen.services[2:])))
    assert told["warnings"] == ["set it to noeviction"]
    assert told["overall_status"] == "healthy"
    assert (told["monitoring_active"], told["check_interval"]) == (True, 30)


def test_out_of_sight_has_the_same_form():
    """So that a client that reads one can read the other."""
    seen, unseen = detailed(view()), out_of_sight()
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
        (tree(writer=ChildState.BACKOFF), view(), ["nothing can be recorded at the moment"]),
        (tree(root=ChildState.STARTING), view(), ["start-up has not finished"]),
        (None, view(), ["start-up has not finished"]),
    ],
)
def test_ready_is_who_has_what_the_process_needs(
    of: Node | None, seen: HealthView | None, reasons: list[str]
):
    """The record, and nothing that it can do without for a while."""
    assert unready(of, seen) == reasons


def test_started_is_for_good():
    """A tree in trouble has started all the same."""
    assert [is_started(tree(root=state)) for state in (ChildState.STARTING, ChildState.RUNNING)] == [
        False,
        True,
    ]
    assert is_started(tree(root=ChildState.STOPPING))


def test_every_keeper_is_of_a_watched_service():
    """What ``checks`` tells of is seen by the monitor."""
    assert set(KEEPERS) <= set(ServiceName)
