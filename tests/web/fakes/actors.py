"""In-memory actors behind the front end, which a test sets up and inspects through ``FakeState``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from actors.database.analytics.messages import (
    AnalyticsQuery,
    AnalyticsRow,
    DashboardQuery,
    HourlyQuery,
    HourRow,
)
from actors.database.configurations.messages import ConfigurationQuery, ConfigurationsQuery
from actors.database.errors import NoSuchConfiguration, NoSuchSession
from actors.database.jobs.messages import JobsQuery
from actors.database.messages import Query
from actors.database.rows import EventRow, JobRow, LogRow, SessionRow
from actors.database.sessions.messages import EventsQuery, SessionQuery, SessionsQuery, SystemLogsQuery
from actors.mirror.messages import MirrorMessage, MirrorStatus, MirrorStatusQuery, RepairMirror
from actors.monitor.messages import (
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
    ServiceHealth,
)
from actors.monitor.status import ServiceName, overall_of
from actors.queue.events import TaskAdded, TaskRetried
from actors.queue.messages import (
    FINISHED,
    AddResult,
    AddTasks,
    Attempt,
    AttemptOutcome,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    Explanation,
    InvalidTaskState,
    LimitTasks,
    LogLine,
    LogPage,
    LogsQuery,
    NewTask,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueMessage,
    QueueStatsQuery,
    QueueUnavailable,
    Reason,
    ReasonKind,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskPage,
    TaskQuery,
    TasksQuery,
    TaskState,
    TaskView,
)
from actors.sessions.events import SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    ControllerMessage,
    DispatchCommand,
    NoActiveSession,
    NoSuchPortal,
    ResetSession,
    ResetSessions,
    ResumeSession,
    SessionStatus,
    SessionsView,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSession,
    StopSessions,
)
from runtime import Actor

from ...builders import (
    CONFIGURATION,
    NOON,
    configuration_row,
    dashboard_row,
    mirror_status,
    queue_stats,
    service_health,
    session_view,
    task_view,
)


@dataclass(kw_only=True)
class FakeState:
    """What the fake actors answer, and what they were asked."""

    sessions: list[SessionView] = field(default_factory=list)
    """Running sessions, in the session controller's memory."""
    session_rows: list[SessionRow] = field(default_factory=list)
    job_rows: list[JobRow] = field(default_factory=list)
    event_rows: list[EventRow] = field(default_factory=list)
    log_rows: list[LogRow] = field(default_factory=list)
    tasks: list[TaskView] = field(default_factory=list)
    task_log: Sequence[str] = ("half way",)
    """Log lines of every task."""
    services: dict[ServiceName, ServiceHealth] = field(
        default_factory=lambda: {name: service_health(name) for name in ServiceName}
    )
    queries: list[Query] = field(default_factory=list)
    """Queries that the database reader received."""
    queue_messages: list[QueueMessage] = field(default_factory=list)
    """Messages that the queue received."""
    forced_checks: int = 0
    queue_unavailable: bool = False
    health_registry_silent: bool = False
    controller_silent: bool = False


class FakeQueue(Actor[QueueMessage]):
    """A queue in memory, whose tasks never run."""

    def __init__(self, state: FakeState) -> None:
        self._state = state

    async def handle(self, message: QueueMessage) -> object:
        self._state.queue_messages.append(message)
        if self._state.queue_unavailable:
            raise QueueUnavailable("PostgreSQL at db.example is unavailable: connection refused")
        match message:
            case AddTasks(tasks=tasks):
                return tuple(self._add(task) for task in tasks)
            case TasksQuery(state=state):
                found = (task for task in self._state.tasks if state in (None, task.state))
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
                    raise InvalidTaskState("cannot retry a task that is pending")
                return self._change(id, TaskState.PENDING)
            case AttemptsQuery(id=id):
                self._find(id)
                outcome = AttemptOutcome.FAILED
                return (
                    Attempt(
                        token=1,
                        owner="here",
                        outcome=outcome,
                        error="no",
                        started_at=NOON,
                        ended_at=NOON,
                        result=None,
                    ),
                )
            case LogsQuery(id=id, cursor=cursor, limit=limit):
                self._find(id)
                start, log = int(cursor or 0), self._state.task_log
                lines = tuple(
                    LogLine(token=1, level="info", message=message, created_at=NOON)
                    for message in log[start : start + limit]
                )
                more = start + limit < len(log)
                return LogPage(lines=lines, next_cursor=str(start + limit) if more else None)
            case ExplainQuery(id=id):
                reason = Reason(kind=ReasonKind.CONCURRENCY, text="2 of 2 run already", by=("here",))
                return Explanation(task=self._find(id), claimable=False, ahead=3, reasons=(reason,))
            case _:
                raise NotImplementedError

    def _add(self, task: NewTask) -> AddResult:
        for known in self._state.tasks:
            if known.idempotency_key is not None and known.idempotency_key == task.idempotency_key:
                return AddResult(id=known.id, created=False)
        view = task_view(type=task.type, data=task.data, idempotency_key=task.idempotency_key)
        self._state.tasks.append(view)
        self.context.publish(TaskAdded(ids=(view.id,), types=frozenset({task.type})))
        return AddResult(id=view.id, created=True)

    def _find(self, id: UUID) -> TaskView:  # noqa: A002 - what it is
        for view in self._state.tasks:
            if view.id == id:
                return view
        raise NoSuchTask(f"task {id} not found")

    def _change(self, id: UUID, state: TaskState) -> TaskView:  # noqa: A002 - what it is
        view = replace(self._find(id), state=state)
        self._state.tasks = [view if view.id == task.id else task for task in self._state.tasks]
        self.context.publish(TaskRetried(ids=(id,)))
        return view

    def _states(self) -> dict[TaskState, int]:
        return {state: sum(task.state is state for task in self._state.tasks) for state in TaskState}


class FakeSessionController(Actor[ControllerMessage]):
    """A session controller that starts no processes: it only keeps the list of running sessions."""

    def __init__(self, sessions: list[SessionView]) -> None:
        self._sessions = sessions

    async def handle(self, message: ControllerMessage) -> object:
        match message:
            case SessionsViewQuery():
                return SessionsView(sessions=tuple(self._sessions))
            case StartSession(session_name=name, config_id=config, portal=portal):
                if message.alone and self._sessions:
                    raise AlreadyRunning("there is one")
                if config not in (None, CONFIGURATION):
                    raise NoSuchConfiguration(f"there is no configuration {config}")
                if portal not in (None, "practice"):
                    raise NoSuchPortal(f"there is no portal {portal!r} here")
                view = session_view(session_name=name or "Session_20260301_120000", config_id=config)
                self._sessions.append(view)
                self._publish(view)
                return view
            case StopSessions() | ResetSessions():
                if not self._sessions and isinstance(message, StopSessions):
                    raise NoActiveSession("there is none")
                ended = tuple(replace(view, status=SessionStatus.STOPPED) for view in self._sessions)
                self._sessions.clear()
                for view in ended:
                    self._publish(view)
                return ended
            case StopSession(session_id=session) | ResetSession(session_id=session):
                view = self._find(session)
                self._sessions.remove(view)
                view = replace(view, status=SessionStatus.STOPPED)
                self._publish(view)
                return view
            case ResumeSession(session_id=session):
                return self._find(session)
            case DispatchCommand():
                return {}

    def _find(self, session: UUID) -> SessionView:
        for view in self._sessions:
            if view.id == session:
                return view
        raise NoSuchSession(f"there is no session {session}")

    def _publish(self, view: SessionView) -> None:
        self.context.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=view))


class DependencyLost(Exception):
    """A dependency is unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Make the actor fail."""

    reason: str


class FakeMirror(Actor[MirrorMessage | Fail]):
    """A mirror without Redis; fails on ``Fail``."""

    dependency_errors = (DependencyLost,)

    async def handle(self, message: MirrorMessage | Fail) -> MirrorStatus:
        match message:
            case Fail(reason=reason):
                raise DependencyLost(reason)
            case MirrorStatusQuery():
                return mirror_status()
            case RepairMirror():
                return mirror_status(differences=(), rebuilds=2)


class FakeHealthRegistry(Actor[MonitorMessage]):
    """A health registry with the statuses that the test sets."""

    def __init__(self, state: FakeState) -> None:
        self._state = state

    async def handle(self, message: MonitorMessage) -> object:
        services = tuple(self._state.services.values())
        name = message.name if isinstance(message, HealthQuery) else None
        if isinstance(message, ForceCheck):
            self._state.forced_checks += 1
        if self._state.health_registry_silent:
            return self.context.defer()
        if name is not None and name not in self._state.services:
            raise NoSuchService(f"no service of this name is watched: {name}")
        return HealthView(
            services=tuple(service for service in services if name in (None, service.name)),
            overall=overall_of((service.name, service.status) for service in services),
            interval=30.0,
        )


class FailingActor(Actor[Fail]):
    """Fails on ``Fail``."""

    dependency_errors = (DependencyLost,)

    async def handle(self, message: Fail) -> None:
        raise DependencyLost(message.reason)


class SilentActor(Actor[ControllerMessage]):
    """Never replies."""

    async def handle(self, message: ControllerMessage) -> None:
        self.context.defer()


class FakeDatabaseReader(Actor[Query]):
    """Reads from memory and keeps the queries."""

    def __init__(self, state: FakeState) -> None:
        self._state = state

    async def handle(self, message: Query) -> object:
        if not isinstance(message, DashboardQuery):  # sent by the hub at any time
            self._state.queries.append(message)
        match message:
            case SessionsQuery(limit=limit):
                return self._state.session_rows[:limit]
            case JobsQuery():
                return self._state.job_rows
            case ConfigurationQuery():
                return configuration_row()
            case EventsQuery():
                return self._state.event_rows
            case SessionQuery(id=session):
                for row in self._state.session_rows:
                    if row.id == session:
                        return row
                raise NoSuchSession(f"there is no session {session}")
            case SystemLogsQuery():
                return self._state.log_rows
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
