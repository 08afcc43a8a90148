"""Makes the specs of the tree, with the limits that the settings give to all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from runtime import Actor, Address, Backoff, ChildSpec, SupervisorMessage, SupervisorSpec

from .settings import Settings

M = TypeVar("M")


class SpecBuilder:
    """Makes specs with the limits that the settings give to all of them."""

    def __init__(self, settings: Settings) -> None:
        self._runtime = settings.runtime
        self.backoff = Backoff(
            minimum=settings.backoff.minimum_seconds,
            maximum=settings.backoff.maximum_seconds,
            factor=settings.backoff.factor,
            jitter=settings.backoff.jitter,
        )

    def branch(
        self, address: Address[SupervisorMessage], *children: ChildSpec | SupervisorSpec | None
    ) -> SupervisorSpec:
        """A supervisor; None stands for a child that the settings leave out."""
        return SupervisorSpec(
            address=address,
            children=tuple(child for child in children if child is not None),
            max_restarts=self._runtime.max_restarts,
            period=self._runtime.restart_period_seconds,
            backoff=self.backoff,
        )

    def worker(
        self,
        address: Address[M],
        start: Callable[[], Actor[M]],
        *,
        start_timeout: float = 30.0,
        shutdown: float = 5.0,
        longest_pause: float = math.inf,
    ) -> ChildSpec:
        """An actor on its address."""
        maximum = max(self.backoff.minimum, min(self.backoff.maximum, longest_pause))
        return ChildSpec(
            address=address,
            start=start,
            start_timeout=start_timeout,
            shutdown=shutdown,
            backoff=replace(self.backoff, maximum=maximum),
        )
