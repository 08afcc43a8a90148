"""A small house to serve: real actors behind the doors, supervised, without PostgreSQL or a portal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Never
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr

from actors.mirror.messages import MirrorMessage, MirrorStatus, MirrorStatusQuery, RepairMirror
from actors.monitor.messages import (
    ForceCheck,
    HealthQuery,
    HealthView,
    MonitorMessage,
    NoSuchService,
    ServiceHealth,
)
from actors.monitor.status import ServiceName, ServiceStatus, overall_of
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
    LimitScope,
    LimitTasks,
    LimitView,
    LogLine,
    LogsQuery,
    NewTask,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueAway,
    QueueMessage,
    QueueStats,
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
    WorkerView,
)
from actors.records.analytics_messages import (
    AnalyticsQuery,
    AnalyticsRow,
    DashboardQuery,
    DashboardRow,
    HourlyQuery,
    HourRow,
)
from actors.records.configuration_messages import ConfigurationsQuery
from actors.records.messages import (
    ConfigurationQuery,
    EventsQuery,
    JobsQuery,
    NoSuchConfiguration,
    NoSuchSession,
    Query,
    SessionsQuery,
    Write,
)
from actors.records.rows import (
    ConfigurationRow,
    Decision,
    Desired,
    EventRow,
    JobRow,
    JobStatus,
    LogRow,
    SessionRow,
    Settled,
)
from actors.records.session_messages import SessionQuery, SystemLogsQuery
from actors.sessions.album import Album
from actors.sessions.album_messages import AlbumMessage
from actors.sessions.events import JobProcessed, SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    Assign,
    LoginStatus,
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
from actors.settings import WebSettings
from runtime import (
    Actor,
    Address,
    Backoff,
    Bus,
    ChildSpec,
    SupervisorMessage,
    SupervisorSpec,
    System,
    open_system,
)
from web.doors import Doors
from web.hub import HubMessage, LiveHub
from web.server import WebServer

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONFIGURATION = UUID("00000000-0000-0000-0000-00000000c0f1")


def web_settings(**changes: object) -> WebSettings:
    """Defaults on a free port."""
    settings = WebSettings(
        host="127.0.0.1",
        port=0,
        token=SecretStr(""),
        token_file="",
        allowed_origins=(),
        max_body_bytes=65_536,
        max_clients=1000,
        status_interval_seconds=5.0,
        ping_interval_seconds=20.0,
        ping_timeout_seconds=20.0,
    )
    return replace(settings, **changes)


def session_view(**changes: object) -> SessionView:
    view = SessionView(
        id=uuid4(),
        session_name="Session_20260301_120000",
        portal="practice",
        engine="http",
        start_time=NOON,
        end_time=None,
        status=SessionStatus.RUNNING,
        login_status=LoginStatus.SUCCESS,
        total_checks=7,
        total_accepted=3,
        total_rejected=1,
        created_at=NOON,
        updated_at=NOON,
        message=None,
    )
    return replace(view, **changes)


def session_row(**changes: object) -> SessionRow:
    row = SessionRow(
        id=uuid4(),
        session_name="Session_20260301_120000",
        portal="practice",
        desired=Desired.RUNNING,
        start_time=NOON,
        end_time=None,
        status="running",
        login_status="success",
        total_checks=7,
        total_accepted=3,
        total_rejected=1,
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(row, **changes)


def job_row(**changes: object) -> JobRow:
    row = JobRow(
        id=uuid4(),
        session_id=uuid4(),
        portal="practice",
        job_ref="J-1001",
        language="Polish",
        appointment_date=date(2026, 3, 2),
        appointment_time=time(9, 30),
        duration="30 min",
        submitted_at=NOON,
        status=JobStatus.ACCEPTED,
        job_type="Telephone interpreting",
        decision=Decision.ACCEPT,
        rejection_reason=None,
        settled=Settled.ANSWER,
        scraped_at=NOON,
        created_at=NOON,
    )
    return replace(row, **changes)


def dashboard_row(**changes: object) -> DashboardRow:
    row = DashboardRow(
        active_sessions=1,
        total_jobs_today=4,
        acceptance_rate_today=Decimal("75.00"),
        most_active_language="Polish",
        bot_uptime_hours=Decimal("1.50"),
        last_activity=NOON,
    )
    return replace(row, **changes)


def job_processed(**changes: object) -> JobProcessed:
    event = JobProcessed(
        session_id=uuid4(),
        timestamp=NOON,
        cycle=1,
        job_number=1,
        total_jobs=2,
        accepted=1,
        rejected=0,
        skipped=0,
        job_ref="J-1001",
        language="Polish",
        job_type="Telephone interpreting",
        duration="30 min",
        status=JobStatus.ACCEPTED,
        reason=None,
    )
    return replace(event, **changes)


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


def task_view(**changes: object) -> TaskView:
    view = TaskView(
        id=uuid4(),
        type="screenshot",
        state=TaskState.PENDING,
        priority=0,
        group=None,
        data={"page": 1},
        result=None,
        error=None,
        progress=0.0,
        attempts=0,
        max_attempts=3,
        stalls=0,
        run_at=NOON,
        created_at=NOON,
        started_at=None,
        finished_at=None,
        parent_id=None,
        idempotency_key=None,
        timeout_seconds=300.0,
        owner=None,
        lease_until=None,
        token=0,
    )
    return replace(view, **changes)


def queue_stats(**changes: object) -> QueueStats:
    stats = QueueStats(
        states=dict.fromkeys(TaskState, 0) | {TaskState.PENDING: 4, TaskState.DELAYED: 1},
        types={"screenshot": {TaskState.PENDING: 4, TaskState.DELAYED: 1}},
        paused=False,
        paused_types=("navigation",),
        limits=(
            LimitView(
                scope=LimitScope.TYPE,
                name="screenshot",
                paused=False,
                max_running=2,
                running=2,
                rate=None,
                rate_seconds=1.0,
                rate_used=0,
                window_until=None,
            ),
        ),
        workers=(WorkerView(owner="here", types=("screenshot",), seen_at=NOON),),
        oldest_pending_at=NOON,
        stale_writes=0,
    )
    return replace(stats, **changes)


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


def mirror_status(**changes: object) -> MirrorStatus:
    status = MirrorStatus(
        server="/run/valkey.sock",
        last_sync=NOON,
        lag_ms=1.5,
        pending=0,
        keys=7,
        rebuilds=1,
        last_rebuild=NOON,
        eviction_policy="noeviction",
        warning=None,
        compared=7,
        differences=("bot:state is gone",),
    )
    return replace(status, **changes)


def service_health(name: ServiceName, **changes: object) -> ServiceHealth:
    health = ServiceHealth(
        name=name,
        status=ServiceStatus.HEALTHY,
        last_check=NOON,
        retry_count=0,
        latency_ms=1.5,
        error=None,
        evidence=f"{name} answered",
    )
    return replace(health, **changes)


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


@dataclass(kw_only=True)
class House:
    """What a test sees of the house, and sets up in it."""

    settings: WebSettings = field(default_factory=web_settings)
    sessions: list[SessionView] = field(default_factory=list)
    session_rows: list[SessionRow] = field(default_factory=list)
    job_rows: list[JobRow] = field(default_factory=list)
    event_rows: list[EventRow] = field(default_factory=list)
    log_rows: list[LogRow] = field(default_factory=list)
    pictures: Path = Path("/nonexistent")
    """Where the album is."""
    tasks: list[TaskView] = field(default_factory=list)
    asked_queue: list[QueueMessage] = field(default_factory=list)
    queue_away: bool = False
    asked: list[Query] = field(default_factory=list)
    services: dict[ServiceName, ServiceHealth] = field(
        default_factory=lambda: {name: service_health(name) for name in ServiceName}
    )
    forced_checks: int = 0
    monitor_is_mute: bool = False
    roster_answers: bool = True
    url: str = ""
    bus: Bus = field(default_factory=Bus)
    reader: Address[Query] = field(default_factory=lambda: Address("db_reader"))
    writer: Address[Write | Break] = field(default_factory=lambda: Address("db_writer"))
    queue: Address[QueueMessage] = field(default_factory=lambda: Address("task_queue"))
    mirror: Address[MirrorMessage | Break] = field(default_factory=lambda: Address("redis_sync"))
    monitor: Address[MonitorMessage] = field(default_factory=lambda: Address("board"))
    hub: Address[HubMessage] = field(default_factory=lambda: Address("hub"))
    album: Address[AlbumMessage] = field(default_factory=lambda: Address("album"))
    system: System | None = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def spec(self) -> SupervisorSpec:
        """The tree: records, mirror, roster and the front end."""
        root: Address[SupervisorMessage] = Address("botvisor")
        roster: Address[RosterMessage] = Address("roster")
        hub = self.hub
        server: Address[Never] = Address("server")
        doors = Doors(
            roster=roster,
            reader=self.reader,
            writer=self.writer,
            queue=self.queue,
            album=self.album,
            mirror=self.mirror,
            monitor=self.monitor,
            tree=root,
            hub=hub,
            bus=self.bus,
        )
        slow = Backoff(minimum=60.0, maximum=60.0, jitter=0.0)
        listening = lambda url: setattr(self, "url", url)  # noqa: E731
        return SupervisorSpec(
            address=root,
            children=(
                branch(
                    "records",
                    ChildSpec(address=self.writer, start=Fragile, backoff=slow),
                    ChildSpec(address=self.reader, start=lambda: Archive(self)),
                ),
                branch("mirror", ChildSpec(address=self.mirror, start=Mirror, backoff=slow)),
                branch("monitor", ChildSpec(address=self.monitor, start=lambda: Observer(self))),
                branch("queue", ChildSpec(address=self.queue, start=lambda: Counter(self))),
                branch(
                    "sessions",
                    ChildSpec(
                        address=roster, start=lambda: Desk(self.sessions) if self.roster_answers else Mute()
                    ),
                    ChildSpec(
                        address=self.album, start=lambda: Album(self.pictures, keep_count=9, keep_hours=1.0)
                    ),
                ),
                branch(
                    "web",
                    ChildSpec(
                        address=hub,
                        start=lambda: LiveHub(
                            self.bus,
                            self.settings,
                            roster=roster,
                            queue=self.queue,
                            reader=self.reader,
                        ),
                    ),
                    ChildSpec(
                        address=server,
                        start=lambda: WebServer(doors, self.settings, on_listening=listening),
                    ),
                ),
            ),
        )


def branch(name: str, *children: ChildSpec) -> SupervisorSpec:
    return SupervisorSpec(address=Address(name), children=children, max_restarts=100)


@asynccontextmanager
async def living(house: House) -> AsyncGenerator[House, None]:
    """Serve the house on a real socket."""
    async with open_system(house.spec(), bus=house.bus, random=Random(0)) as house.system:
        yield house


@asynccontextmanager
async def client(house: House, **options: object) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with httpx.AsyncClient(base_url=house.url, trust_env=False, timeout=10, **options) as http:
        yield http


def configuration_row() -> ConfigurationRow:
    return ConfigurationRow(
        id=CONFIGURATION,
        config_name="default",
        check_interval_seconds=Decimal("0.5"),
        results_report_interval_seconds=5,
        rejected_report_interval_seconds=43_200,
        quick_check_interval_seconds=10,
        enable_quick_check=False,
        enable_results_reporting=True,
        enable_rejected_reporting=True,
        max_accept_per_run=5,
        job_type_filter="Telephone interpreting",
        exclude_types=(),
        is_active=True,
        created_at=NOON,
        updated_at=NOON,
    )
