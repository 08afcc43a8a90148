"""Metrics of the supervisor tree: restarts, mailboxes, and the lag of the event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from runtime import LoadQuery, Node, TreeQuery

from ..addresses import ActorAddresses
from ..timeouts import QUERY_TIMEOUT


async def supervisor_metrics(actors: ActorAddresses) -> Iterable[Metric]:
    """Read the tree and its load."""
    tree = await actors.tree.ask(TreeQuery(), timeout=QUERY_TIMEOUT)
    load = await actors.tree.ask(LoadQuery(), timeout=QUERY_TIMEOUT)
    restarts = CounterMetricFamily("botvisor_actor_restarts", "Restarts of an actor.", labels=["path"])
    mailbox = GaugeMetricFamily(
        "botvisor_mailbox_messages", "Messages that wait for an actor.", labels=["path"]
    )
    for node in _nodes(tree):
        restarts.add_metric([node.path], node.restarts)
        mailbox.add_metric([node.path], node.mailbox.depth)
    metrics: list[Metric] = [restarts, mailbox]
    if load.lag is not None:
        metrics.append(
            GaugeMetricFamily(
                "botvisor_event_loop_lag_seconds",
                "How late the event loop was at the last measurement.",
                value=load.lag.latest,
            )
        )
    return metrics


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)
