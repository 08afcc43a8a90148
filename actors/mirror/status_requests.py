"""Who waits to hear how the mirror stands. Pure: one answer is for all of them."""

from __future__ import annotations

from typing import Final

from runtime import Deferred

from .messages import MirrorBusy, MirrorMessage, MirrorStatus, RepairMirror

MOST_ASKERS: Final = 32
"""Far more than people and dashboards that look at once; a crowd that asks over and over is not served."""


class StatusRequests:
    """Collects questions, so that any number of them costs one comparison."""

    def __init__(self) -> None:
        self._waiting: list[tuple[MirrorMessage, Deferred[object]]] = []

    def refuse_crowd(self) -> None:
        """See whether there is room for another.

        Raises:
            MirrorBusy
        """
        self._forget_those_who_left()
        if len(self._waiting) >= MOST_ASKERS:
            raise MirrorBusy(f"{MOST_ASKERS} others wait for the mirror's answer already")

    def add(self, message: MirrorMessage, deferred: Deferred[object]) -> None:
        """Somebody asks."""
        self._waiting.append((message, deferred))

    def take(self) -> StatusBatch:
        """All who wait now; who asks from now on is answered the next time."""
        self._forget_those_who_left()
        taken, self._waiting = self._waiting, []
        return StatusBatch(taken)

    def _forget_those_who_left(self) -> None:
        self._waiting = [(message, deferred) for message, deferred in self._waiting if not deferred.done]


class StatusBatch:
    """Those who are answered together; false where there is nobody."""

    def __init__(self, asked: list[tuple[MirrorMessage, Deferred[object]]]) -> None:
        self._asked = asked

    def __bool__(self) -> bool:
        return bool(self._asked)

    @property
    def wants_repair(self) -> bool:
        """Whether any of them asks for more than the status."""
        return any(isinstance(message, RepairMirror) for message, _ in self._asked)

    def tell(self, status: MirrorStatus) -> None:
        """Answer all of them."""
        for _, deferred in self._asked:
            deferred.set(status)

    def refuse(self, refusal: Exception) -> None:
        """Answer all of them that it cannot be said."""
        for _, deferred in self._asked:
            deferred.fail(refusal)
