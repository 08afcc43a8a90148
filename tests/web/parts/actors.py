"""Real actors behind the doors that answer out of memory, and some that fail or never answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from actors.mirror.messages import MirrorMessage, MirrorStatus, MirrorStatusQuery, RepairMirror
from actors.monitor.messages import (
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
)
from actors.monitor.status import overall_of
from actors.queue.events import TaskAdded, TaskRetried
from actors.queue.messages import (
    FINISHED,
    Added,
    AddTasks,
    Attempt,
    AttemptOutcome,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    Explanation,
    LimitTasks,
    LogLine,
    LogsQuery,
    NewTask,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueAway,
    QueueMessage,
    QueueStatsQuery,
    Reason,
    ReasonKind,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskPage,
    TaskQuery,
    TasksQuery,
    TaskState,
    TaskStateForbids,
    TaskView,
)
from actors.records.analytics_messages import (
    AnalyticsQuery,
    AnalyticsRow,
    DashboardQuery,
    HourlyQuery,
    HourRow,
)
from actors.records.configuration_messages import ConfigurationQuery, ConfigurationsQuery
from actors.records.messages import EventsQuery, JobsQuery, Query, SessionsQuery
from actors.records.refusals import NoSuchConfiguration, NoSuchSession
from actors.records.session_messages import SessionQuery, SystemLogsQuery
from actors.sessions.events import SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    Assign,
    NoActiveSession,
    NoSuchPortal,
    ResetSession,
    ResetSessions,
    ResumeSession,
    RosterMessage,
    RosterQuery,
    RosterView,
    SessionStatus,
    SessionView,
    StartSession,
    StopSession,
    StopSessions,
)
from runtime import (
    Actor,
)

from .views import (
    CONFIGURATION,
    NOON,
    configuration_row,
    dashboard_row,
    mirror_status,
    queue_stats,
    session_view,
    task_view,
)

if TYPE_CHECKING:
    from .house import House


class Desk(Actor[RosterMessage]):
    """A roster without a fleet: it says who is on duty."""

    def __init__(self, sessions: list[SessionView]) -> None:
        self._sessions = sessions

    async def handle(self, message: RosterMessage) -> object:
        match message:
            case RosterQuery():
                return RosterView(sessions=tuple(self._sessions))
            case StartSession(session_name=name, config_id=config, portal=portal):
                if message.alone and self._sessions:
                    raise AlreadyRunning("there is one")
                if config not in (None, CONFIGURATION):
                    raise NoSuchConfiguration(f"there is no configuration {config}")
                if portal not in (None, "practice"):
                    raise NoSuchPortal(f"there is no portal {portal!r} here")
                view = session_view(session_name=name or "Session_20260301_120000", config_id=config)
                self._sessions.append(view)
                self._tell(view)
                return view
            case StopSessions() | ResetSessions():
                if not self._sessions and isinstance(message, StopSessions):
                    raise NoActiveSession("there is none")
                ended = tuple(replace(view, status=SessionStatus.STOPPED) for view in self._sessions)
                self._sessions.clear()
                for view in ended:
                    self._tell(view)
                return ended
            case StopSession(session_id=session) | ResetSession(session_id=session):
                view = self._find(session)
                self._sessions.remove(view)
                view = replace(view, status=SessionStatus.STOPPED)
                self._tell(view)
                return view
            case ResumeSession(session_id=session):
                return self._find(session)
            case Assign():
                return {}

    def _find(self, session: UUID) -> SessionView:
        for view in self._sessions:
            if view.id == session:
                return view
        raise NoSuchSession(f"there is no session {session} on record")

    def _tell(self, view: SessionView) -> None:
        self.context.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=view))


class Archive(Actor[Query]):
    """A record in memory; it remembers what it was asked."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, message: Query) -> object:
        if not isinstance(message, DashboardQuery):  # the hub's, whenever it likes
            self._house.asked.append(message)
        match message:
            case SessionsQuery():
                return self._house.session_rows
            case JobsQuery():
                return self._house.job_rows
            case ConfigurationQuery():
                return configuration_row()
            case EventsQuery():
                return self._house.event_rows
            case SessionQuery(id=session):
                for row in self._house.session_rows:
                    if row.id == session:
                        return row
                raise NoSuchSession(f"there is no session {session} on record")
            case SystemLogsQuery():
                return self._house.log_rows
            case DashboardQuery():
                return dashboard_row()
            case ConfigurationsQuery():
                return [configuration_row()]
            case AnalyticsQuery():
                return AnalyticsRow(
                    accepted=5,
                    rejected=3,
                    failed=1,
                    open=0,
                    languages={"Polish": 6, "Urdu": 3},
                    hours={12: 9},
                )
            case HourlyQuery(hours=hours):
                return [
                    HourRow(hour=NOON - timedelta(hours=back), accepted=back % 5, rejected=back % 3, failed=0)
                    for back in reversed(range(hours))
                ]
            case _:
                raise NotImplementedError


class Counter(Actor[QueueMessage]):
    """A queue in memory, where tasks are looked at and changed but never begin."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, message: QueueMessage) -> object:
        self._house.asked_queue.append(message)
        if self._house.queue_away:
            raise QueueAway("PostgreSQL at db.example is away: the connection was refused")
        match message:
            case AddTasks(tasks=tasks):
                return tuple(self._add(task) for task in tasks)
            case TasksQuery(state=state):
                found = (task for task in self._house.tasks if state in (None, task.state))
                return TaskPage(tasks=tuple(found), next_cursor="further")
            case QueueStatsQuery():
                return queue_stats(states=self._states())
            case PauseTasks() | ResumeTasks() | LimitTasks():
                return None
            case TaskQuery(id=id) | PromoteTask(id=id) | ReprioritizeTask(id=id):
                return self._find(id)
            case CancelTask(id=id):
                return self._change(id, TaskState.CANCELLED)
            case RetryTask(id=id):
                if self._find(id).state not in FINISHED:
                    raise TaskStateForbids("cannot retry a task that is pending")
                return self._change(id, TaskState.PENDING)
            case AttemptsQuery(id=id):
                self._find(id)
                outcome = AttemptOutcome.FAILED
                return (
                    Attempt(
                        token=1, owner="here", outcome=outcome, error="no", started_at=NOON, ended_at=NOON
                    ),
                )
            case LogsQuery(id=id):
                self._find(id)
                return (LogLine(token=1, level="info", message="half way", created_at=NOON),)
            case ExplainQuery(id=id):
                reason = Reason(kind=ReasonKind.CONCURRENCY, text="2 of 2 run already", by=("here",))
                return Explanation(task=self._find(id), claimable=False, ahead=3, reasons=(reason,))
            case _:
                raise NotImplementedError

    def _add(self, task: NewTask) -> Added:
        for known in self._house.tasks:
            if known.idempotency_key is not None and known.idempotency_key == task.idempotency_key:
                return Added(id=known.id, created=False)
        view = task_view(type=task.type, data=task.data, idempotency_key=task.idempotency_key)
        self._house.tasks.append(view)
        self.context.publish(TaskAdded(ids=(view.id,), types=frozenset({task.type})))
        return Added(id=view.id, created=True)

    def _find(self, id: UUID) -> TaskView:  # noqa: A002 - what it is
        for view in self._house.tasks:
            if view.id == id:
                return view
        raise NoSuchTask(f"there is no task {id}")

    def _change(self, id: UUID, state: TaskState) -> TaskView:  # noqa: A002 - what it is
        view = replace(self._find(id), state=state)
        self._house.tasks = [view if view.id == task.id else task for task in self._house.tasks]
        self.context.publish(TaskRetried(ids=(id,)))
        return view

    def _states(self) -> dict[TaskState, int]:
        return {state: sum(task.state is state for task in self._house.tasks) for state in TaskState}


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

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, message: MonitorMessage) -> object:
        services = tuple(self._house.services.values())
        wanted = message.name if isinstance(message, HealthQuery) else None
        if isinstance(message, ForceCheck):
            self._house.forced_checks += 1
        if self._house.monitor_is_mute:
            return self.context.defer()
        if wanted is not None and wanted not in self._house.services:
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


class Mute(Actor[RosterMessage]):
    """Never answers."""

    async def handle(self, message: RosterMessage) -> None:
        self.context.defer()
