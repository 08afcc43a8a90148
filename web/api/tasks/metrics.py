"""Metrics of the task queue: tasks by state, and writes with a stale token."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from actors.queue.messages import QueueStatsQuery

from ..addresses import ActorAddresses
from ..timeouts import QUERY_TIMEOUT


async def task_metrics(actors: ActorAddresses) -> Iterable[Metric]:
    """Read the statistics of the queue."""
    stats = await actors.queue.ask(QueueStatsQuery(), timeout=QUERY_TIMEOUT)
    tasks = GaugeMetricFamily("botvisor_tasks", "Tasks in the database.", labels=["state"])
    for state, count in stats.states.items():
        tasks.add_metric([state], count)
    stale = CounterMetricFamily(
        "botvisor_stale_task_writes", "Writes with a stale token, rejected.", value=stats.stale_writes
    )
    return [tasks, stale]
