"""Builds child specs and supervisor specs with the limits and backoff of the configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from runtime import Actor, Address, Backoff, ChildSpec, SupervisorMessage, SupervisorSpec

from .settings import Settings

M = TypeVar("M")


class SpecBuilder:
    """Builds specs with the configured restart limits and backoff."""

    def __init__(self, settings: Settings) -> None:
        self._runtime = settings.runtime
        self.backoff = Backoff(
            minimum=settings.backoff.minimum_seconds,
            maximum=settings.backoff.maximum_seconds,
            factor=settings.backoff.factor,
            jitter=settings.backoff.jitter,
        )

    def supervisor(
        self, address: Address[SupervisorMessage], *children: ChildSpec | SupervisorSpec | None
    ) -> SupervisorSpec:
        """A supervisor of these children; None stands for a child that the settings leave out."""
        return SupervisorSpec(
            address=address,
            children=tuple(child for child in children if child is not None),
            max_restarts=self._runtime.max_restarts,
            period=self._runtime.restart_period_seconds,
            backoff=self.backoff,
        )

    def dynamic_supervisor(self, address: Address[SupervisorMessage], *, max_children: int) -> SupervisorSpec:
        """A supervisor whose children are started by message."""
        return SupervisorSpec(
            address=address,
            dynamic=True,
            max_children=max_children,
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
        max_backoff: float = math.inf,
    ) -> ChildSpec:
        """An actor on its address.

        ``max_backoff`` bounds this child's restart delay, in seconds, below the configured maximum.
        """
        maximum = max(self.backoff.minimum, min(self.backoff.maximum, max_backoff))
        return ChildSpec(
            address=address,
            start=start,
            start_timeout=start_timeout,
            shutdown=shutdown,
            backoff=replace(self.backoff, maximum=maximum),
        )
