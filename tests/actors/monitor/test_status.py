from __future__ import annotations

from itertools import product

import pytest

from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus, overall_of

H, U, D, N = (
    ServiceStatus.HEALTHY,
    ServiceStatus.UNHEALTHY,
    ServiceStatus.DISCONNECTED,
    ServiceStatus.UNKNOWN,
)


@pytest.mark.parametrize(
    ("others", "overall"),
    [
        ((H, H, H, H), OverallStatus.HEALTHY),
        ((H, U, H, H), OverallStatus.DEGRADED),
        ((D, U, N, H), OverallStatus.DEGRADED),
        ((H, D, H, H), OverallStatus.PARTIAL),
        ((N, D, N, N), OverallStatus.PARTIAL),
        ((H, H, H, N), OverallStatus.UNKNOWN),
        ((N, N, N, N), OverallStatus.UNKNOWN),
    ],
)
@pytest.mark.parametrize("redis", list(ServiceStatus))
def test_the_overall_status_follows_the_contract(
    redis: ServiceStatus, others: tuple[ServiceStatus, ...], overall: OverallStatus
):
    """All healthy, else any unhealthy, else any disconnected, else unknown; Redis does not count."""
    names = [name for name in ServiceName if name is not ServiceName.REDIS]
    statuses = [*zip(names, others, strict=True), (ServiceName.REDIS, redis)]
    assert overall_of(statuses) is overall


def test_only_all_healthy_is_healthy():
    """Of all combinations only one; without services the status is unknown."""
    names = [name for name in ServiceName if name is not ServiceName.REDIS]
    healthy = [
        statuses
        for statuses in product(ServiceStatus, repeat=len(names))
        if overall_of(zip(names, statuses, strict=True)) is OverallStatus.HEALTHY
    ]
    assert healthy == [(H, H, H, H)]
    assert overall_of([]) is OverallStatus.UNKNOWN
