"""``/metrics``: the metrics of all capabilities in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

import structlog
import trio
from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector
from quart import Blueprint, Response

from runtime import AskFailed, MailboxFull, Refusal

from ..addresses import ActorAddresses

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web")

Source: TypeAlias = Callable[[ActorAddresses], Awaitable[Iterable[Metric]]]
"""Collects the metrics of one capability."""

COLLECT_TIMEOUT: Final = 5.0
"""Seconds until the metrics of a source are left out; all are collected at once."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics_blueprint(actors: ActorAddresses, sources: Sequence[Source]) -> Blueprint:
    """The route ``/metrics``."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    async def metrics() -> Response:
        """Collect every capability's metrics; those of an actor that does not answer are left out."""
        found: list[list[Metric]] = [[] for _ in sources]

        async def collect(number: int) -> None:
            with trio.move_on_after(COLLECT_TIMEOUT):
                try:
                    found[number] = list(await sources[number](actors))
                except (AskFailed, MailboxFull, Refusal) as error:
                    LOGGER.warning("metrics_unavailable", error=str(error))

        async with trio.open_nursery() as nursery:
            for number in range(len(sources)):
                nursery.start_soon(collect, number)
        collected = Collected([metric for metrics in found for metric in metrics])
        return Response(generate_latest(collected), content_type=CONTENT_TYPE)

    return blueprint


class Collected(Collector):
    """Metrics that were collected already: the client library itself collects without waiting."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        return self._metrics
