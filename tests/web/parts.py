"""A small house to serve: real actors behind the doors, supervised, without PostgreSQL or a portal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Never
from uuid import UUID, uuid4

import httpx
from pydantic import SecretStr

from actors.records.messages import ConfigurationQuery, JobsQuery, Query, SessionsQuery
from actors.records.rows import ConfigurationRow, Decision, Desired, JobRow, JobStatus, SessionRow, Settled
from actors.sessions.events import JobProcessed, SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    LoginStatus,
    NoActiveSession,
    RosterMessage,
    RosterQuery,
    RosterView,
    SessionStatus,
    SessionView,
    StartSession,
    StopSession,
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
            case StartSession(session_name=name):
                if self._sessions:
                    raise AlreadyRunning("there is one")
                view = session_view(session_name=name or "Session_20260301_120000")
                self._sessions.append(view)
            case StopSession():
                if not self._sessions:
                    raise NoActiveSession("there is none")
                view = replace(self._sessions.pop(), status=SessionStatus.STOPPED)
        self.context.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=view))
        return view


class Archive(Actor[Query]):
    """A record in memory; it remembers what it was asked."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle(self, message: Query) -> object:
        self._house.asked.append(message)
        match message:
            case SessionsQuery():
                return self._house.session_rows
            case JobsQuery():
                return self._house.job_rows
            case ConfigurationQuery():
                return _configuration()
            case _:
                raise NotImplementedError


class PowerCut(Exception):
    """Something outside is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Let the actor fail."""

    reason: str


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
    asked: list[Query] = field(default_factory=list)
    roster_answers: bool = True
    url: str = ""
    bus: Bus = field(default_factory=Bus)
    reader: Address[Query] = field(default_factory=lambda: Address("db_reader"))
    writer: Address[Break] = field(default_factory=lambda: Address("db_writer"))
    mirror: Address[Break] = field(default_factory=lambda: Address("redis_sync"))
    system: System | None = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def spec(self) -> SupervisorSpec:
        """The tree: records, mirror, roster and the front end."""
        root: Address[SupervisorMessage] = Address("botvisor")
        roster: Address[RosterMessage] = Address("roster")
        hub: Address[HubMessage] = Address("hub")
        server: Address[Never] = Address("server")
        doors = Doors(roster=roster, reader=self.reader, tree=root, hub=hub)
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
                branch("mirror", ChildSpec(address=self.mirror, start=Fragile, backoff=slow)),
                branch(
                    "sessions",
                    ChildSpec(
                        address=roster, start=lambda: Desk(self.sessions) if self.roster_answers else Mute()
                    ),
                ),
                branch(
                    "web",
                    ChildSpec(address=hub, start=lambda: LiveHub(self.bus, roster, self.settings)),
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


def _configuration() -> ConfigurationRow:
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
