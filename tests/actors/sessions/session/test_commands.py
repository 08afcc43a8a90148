"""Session commands, and the task handlers that dispatch them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import trio

from actors.database.rows import JobStatus, OutcomeSource
from actors.portals.errors import (
    CannotScreenshot,
    LoginRefused,
    OutcomeUnknown,
    PortalUnavailable,
    SessionExpired,
)
from actors.queue.messages import Json, TaskView
from actors.queue.worker.handler import Gate, PermanentFailure, Snooze
from actors.sessions.controller.task_handlers import session_handlers
from actors.sessions.events import JobProcessed
from actors.sessions.messages import ControllerMessage, SessionNotRunningHere
from actors.sessions.screenshots.messages import ScreenshotMessage, ScreenshotQuery
from actors.sessions.screenshots.store import ScreenshotStore
from actors.sessions.session.commands import (
    AcceptJob,
    CheckJobs,
    CommandRefused,
    Navigate,
    RejectJob,
    SessionCommandFailed,
    SignIn,
    TakeScreenshot,
)
from runtime import Actor, Address, AskTimeout
from runtime.testing import next_event, run_actor

from ....builders import task_view
from ..fake_portal import PNG, FakePortal
from .test_session import ONSITE, job, open_session_harness

SLOW = "check_interval_seconds = 600"
"""The session runs no check of its own after the first."""


async def test_commands_to_sign_in_and_check(database: str) -> None:
    """A signed-in session signs in again only with ``renew``."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules=SLOW) as harness:
        assert await harness.session.ask(SignIn(), timeout=10) == {
            "login_status": "success",
            "renewed": False,
        }
        assert (await harness.session.ask(SignIn(renew=True), timeout=10))["renewed"] is True
        assert portal.logins == 2
        portal.add(job("A"), job("B", **ONSITE))
        assert await harness.session.ask(CheckJobs(), timeout=10) == {
            "cycle": 2,
            "total_jobs": 2,
            "accepted": 1,
            "rejected": 1,
            "skipped": 0,
        }
        assert (await harness.recorded()).total_checks == 2


async def test_a_job_is_accepted_or_rejected_against_the_rules(database: str) -> None:
    """Like a decision of the rules: recorded first, clicked once, with its events."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules=SLOW) as harness:
        await portal.wait_for_checks()
        portal.add(job("A"), job("B", **ONSITE))
        with harness.bus.subscribe(JobProcessed) as events:
            rejected = await harness.session.ask(RejectJob(job_ref="A", reason="too far"), timeout=10)
            accepted = await harness.session.ask(AcceptJob(job_ref="B"), timeout=10)
            assert (await next_event(events, JobProcessed)).job_ref == "A"
        assert rejected == {
            "job_ref": "A",
            "status": "rejected",
            "outcome_source": "answer",
            "reason": "too far",
        }
        assert (accepted["status"], accepted["outcome_source"]) == ("accepted", "answer")
        # The same command again has the same result, without a click.
        assert (await harness.session.ask(AcceptJob(job_ref="B"), timeout=10))["status"] == "accepted"
        with pytest.raises(CommandRefused, match="job A is rejected already: too far"):
            await harness.session.ask(AcceptJob(job_ref="A"), timeout=10)
        with pytest.raises(CommandRefused, match="job C is not on the portal's table"):
            await harness.session.ask(AcceptJob(job_ref="C"), timeout=10)
        assert await harness.totals() == (1, 1)
    assert portal.clicks == ["reject A", "accept B"]


async def test_a_command_finds_the_outcome_of_an_earlier_incarnation(database: str) -> None:
    """In the database, so that a retried task does not click."""
    portal = FakePortal(job("A"))
    async with open_session_harness(database, portal) as harness:
        row = harness.row
        await portal.wait_for_checks(2)
        await harness.jobs()
    async with open_session_harness(database, portal, row=row, rules=SLOW) as harness:
        assert (await harness.session.ask(AcceptJob(job_ref="A"), timeout=10))["status"] == "accepted"
    assert portal.clicks == ["accept A"]


async def test_two_sessions_are_commanded_to_accept_one_job(database: str) -> None:
    """One clicks; the other returns the outcome or is refused."""
    portal = FakePortal()
    async with (
        open_session_harness(database, portal, rules=SLOW) as first,
        open_session_harness(database, portal, rules=SLOW) as second,
    ):
        await portal.wait_for_checks()
        portal.add(job("A"))
        ended: list[str] = []

        async def accept(harness: object) -> None:
            try:
                ended.append(str((await harness.session.ask(AcceptJob(job_ref="A"), timeout=10))["status"]))
            except CommandRefused:
                ended.append("refused")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, first)
            nursery.start_soon(accept, second)
        assert sorted(ended) in (["accepted", "accepted"], ["accepted", "refused"])
    assert portal.clicks == ["accept A"]


async def test_a_lost_answer_is_resolved_before_the_reply(database: str) -> None:
    """If the click never arrived, a retry may succeed."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules=SLOW) as harness:
        await portal.wait_for_checks()
        portal.add(job("A"), job("B", **ONSITE))
        portal.lost_answers.add("A")
        assert (await harness.session.ask(AcceptJob(job_ref="A"), timeout=10))["outcome_source"] == "portal"
        portal.errors["accept"] = [OutcomeUnknown("B", "cut off")]
        with pytest.raises(SessionCommandFailed, match="has not confirmed job B yet"):
            await harness.session.ask(AcceptJob(job_ref="B"), timeout=20)
        # The command still overrides the rules.
        assert (await harness.session.ask(CheckJobs(), timeout=10))["accepted"] == 1
        assert (await harness.jobs())["B"].status is JobStatus.ACCEPTED
    assert portal.clicks == ["accept A", "accept B"]


async def test_errors_of_commands(database: str) -> None:
    """They distinguish whether a retry may succeed; an expired login is renewed."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules=SLOW) as harness:
        await portal.wait_for_checks()
        portal.errors["navigate"] = [PortalUnavailable("down"), SessionExpired()]
        with pytest.raises(SessionCommandFailed, match="down") as failed:
            await harness.session.ask(Navigate(path="/results"), timeout=10)
        assert not isinstance(failed.value, CommandRefused)
        assert await harness.session.ask(Navigate(path="/results"), timeout=10) == {
            "page": "Portal (/results)"
        }
        assert (portal.logins, portal.visited) == (2, ["/results"])
        with pytest.raises(CommandRefused, match="not on the portal"):
            await harness.session.ask(Navigate(path="http://another/"), timeout=10)
        portal.errors["screenshot"] = [CannotScreenshot()]
        with pytest.raises(CommandRefused, match="screenshots need the browser engine"):
            await harness.session.ask(TakeScreenshot(), timeout=10)
        portal.errors["login"] = [LoginRefused("locked")]
        with pytest.raises(CommandRefused, match="locked"):
            await harness.session.ask(SignIn(renew=True), timeout=10)
        assert (await harness.recorded()).status == "failed"


async def test_a_command_ends_at_its_deadline_and_the_next_is_executed(database: str) -> None:
    """A command whose caller timed out is not started."""
    portal = FakePortal()
    portal.hold_clicks = trio.Event()
    async with open_session_harness(database, portal, rules=SLOW) as harness, trio.open_nursery() as nursery:
        await portal.wait_for_checks()
        portal.add(job("A"))

        overdue = trio.Event()

        async def accept() -> None:
            with pytest.raises(AskTimeout):
                await harness.session.ask(AcceptJob(job_ref="A"), timeout=0.5)
            overdue.set()

        nursery.start_soon(accept)
        await portal.clicked.wait()
        with pytest.raises(AskTimeout):
            await harness.session.ask(Navigate(path="/never"), timeout=0.2)
        await overdue.wait()
        portal.hold_clicks.set()
        assert await harness.session.ask(Navigate(path="/then"), timeout=10) == {"page": "Portal (/then)"}
        row = (await harness.jobs())["A"]
        assert (row.status, row.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.ANSWER)
    assert portal.visited == ["/then"]


async def test_a_screenshot_is_saved_in_the_store(database: str, tmp_path) -> None:
    """Under the name in the command's result."""
    screenshot_store: Address[ScreenshotMessage] = Address("screenshot_store")
    async with (
        run_actor(lambda: ScreenshotStore(tmp_path, keep_count=5, keep_hours=1.0), screenshot_store),
        open_session_harness(
            database, FakePortal(), rules=SLOW, screenshot_store=screenshot_store
        ) as harness,
    ):
        taken = await harness.session.ask(TakeScreenshot(label="login"), timeout=10)
        name = str(taken["name"])
        assert taken["path"] == f"/api/sessions/{harness.row.id}/screenshots/{name}"
        query = ScreenshotQuery(session_id=harness.row.id, name=name)
        assert await screenshot_store.ask(query, timeout=5) == PNG


# Handlers


@dataclass
class Attempt:
    """The attempt at a task."""

    task: TaskView


class FakeController(Actor[ControllerMessage]):
    """Replies to every command as the test says."""

    def __init__(self, seen: list[object], answer: Mapping[str, Json] | Exception) -> None:
        self._seen = seen
        self._answer = answer

    async def handle(self, message: ControllerMessage) -> object:
        self._seen.append(message)
        if isinstance(self._answer, Exception):
            raise self._answer
        return dict(self._answer)


@dataclass
class HandlerHarness:
    """Runs one task handler against a fake controller."""

    seen: list[object] = field(default_factory=list)

    async def do(
        self, kind: str, data: dict[str, Json], answer: Mapping[str, Json] | Exception | None = None
    ) -> Json:
        session_controller: Address[ControllerMessage] = Address("session_controller")
        async with run_actor(lambda: FakeController(self.seen, answer or {"fine": True}), session_controller):
            handler = session_handlers(session_controller, Gate())[kind]
            return await handler(Attempt(task_view(type=kind, data=data)))


@pytest.mark.parametrize(
    ("kind", "data", "command"),
    [
        ("login", {}, SignIn()),
        ("login", {"renew": True}, SignIn(renew=True)),
        ("job_check", {"whatever": 1}, CheckJobs()),
        ("job_accept", {"job_ref": " A "}, AcceptJob(job_ref="A")),
        ("job_reject", {"job_ref": "A", "reason": "far"}, RejectJob(job_ref="A", reason="far")),
        ("job_reject", {"job_ref": "A"}, RejectJob(job_ref="A", reason="rejected on request")),
        ("navigation", {"path": "/results"}, Navigate(path="/results")),
        ("navigation", {"url": "http://p/x"}, Navigate(path="http://p/x")),
        ("screenshot", {}, TakeScreenshot()),
    ],
)
async def test_a_task_becomes_a_command(kind, data, command) -> None:
    """For the session that it names, or for the oldest."""
    harness = HandlerHarness()
    assert await harness.do(kind, data) == {"fine": True}
    named = "00000000-0000-0000-0000-000000000007"
    await harness.do(kind, {**data, "session_id": named})
    assert [dispatch.command for dispatch in harness.seen] == [command, command]
    assert [str(dispatch.session_id) for dispatch in harness.seen] == ["None", named]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("job_accept", {}),
        ("job_accept", {"job_ref": 5}),
        ("job_reject", {"job_ref": "A", "reason": ""}),
        ("navigation", {"path": "x" * 5000}),
        ("login", {"session_id": "me"}),
    ],
)
async def test_a_task_with_invalid_data_fails_permanently(kind, data) -> None:
    """No command is dispatched."""
    harness = HandlerHarness()
    with pytest.raises(PermanentFailure):
        await harness.do(kind, data)
    assert harness.seen == []


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (SessionNotRunningHere("it runs in another instance"), Snooze),
        (CommandRefused("no such job"), PermanentFailure),
        (SessionCommandFailed("the portal is unavailable"), SessionCommandFailed),
    ],
)
async def test_the_error_of_a_command_decides_its_task(refusal, error) -> None:
    """Snoozed, failed permanently, or retried."""
    with pytest.raises(error) as raised:
        await HandlerHarness().do("login", {}, refusal)
    assert type(raised.value) is error
