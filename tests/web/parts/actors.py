"""Actors behind the other doors, and some that fail or never answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.mirror.messages import MirrorMessage, MirrorStatus, MirrorStatusQuery, RepairMirror
from actors.monitor.messages import ForceCheck, HealthQuery, HealthView, MonitorMessage, NoSuchService
from actors.monitor.status import overall_of
from actors.sessions.messages import ControllerMessage
from runtime import Actor

from .views import mirror_status

if TYPE_CHECKING:
    from .application import House


class PowerCut(Exception):
    """Something outside is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Let the actor fail."""

    reason: str


class Mirror(Actor[MirrorMessage | Break]):
    """A mirror of nothing; it fails when told to."""

    absences = (PowerCut,)

    async def handle(self, message: MirrorMessage | Break) -> MirrorStatus:
        match message:
            case Break(reason=reason):
                raise PowerCut(reason)
            case MirrorStatusQuery():
                return mirror_status()
            case RepairMirror():
                return mirror_status(differences=(), rebuilds=2)


class Observer(Actor[MonitorMessage]):
    """A monitor that sees what the test says."""

    def __init__(self, application: House) -> None:
        self._application = application

    async def handle(self, message: MonitorMessage) -> object:
        services = tuple(self._application.services.values())
        wanted = message.name if isinstance(message, HealthQuery) else None
        if isinstance(message, ForceCheck):
            self._application.forced_checks += 1
        if self._application.monitor_is_mute:
            return self.context.defer()
        if wanted is not None and wanted not in self._application.services:
            raise NoSuchService(f"no service of this name is watched: {wanted}")
        return HealthView(
            services=tuple(service for service in services if wanted in (None, service.name)),
            overall=overall_of((service.name, service.status) for service in services),
            interval=30.0,
        )


class Fragile(Actor[Break]):
    """Fails when told to."""

    absences = (PowerCut,)

    async def handle(self, message: Break) -> None:
        raise PowerCut(message.reason)


class Mute(Actor[ControllerMessage]):
    """Never answers."""

    async def handle(self, message: ControllerMessage) -> None:
        self.context.defer()
