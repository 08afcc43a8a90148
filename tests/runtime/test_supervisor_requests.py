"""Requests to a supervisor: OTP's functions, and its names for refusals."""

from __future__ import annotations

import pytest
import trio

from runtime import (
    ActorStopped,
    Address,
    AlreadyPresent,
    AlreadyStarted,
    ChildCountQuery,
    ChildCounts,
    ChildrenQuery,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildSpecQuery,
    ChildState,
    DeleteChild,
    DynamicSupervisor,
    NotFound,
    Restart,
    RestartChild,
    StartChild,
    StartRefused,
    SupervisorRefusal,
    SupervisorSpec,
    TerminateChild,
    open_system,
)

from .probes import Ping, Probe, StopItself, child, crash, root


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def spec(log) -> SupervisorSpec:
    return root(child("a", log), child("b", log))


@pytest.fixture
async def system(spec):
    async with open_system(spec) as running:
        yield running


@pytest.mark.parametrize(
    ("refusal", "term"),
    [
        (AlreadyStarted, "already_started"),
        (AlreadyPresent, "already_present"),
        (NotFound, "not_found"),
        (ChildRunning, "running"),
        (ChildRestarting, "restarting"),
        (DynamicSupervisor, "simple_one_for_one"),
    ],
)
def test_refusals_have_otps_names(refusal: type[SupervisorRefusal], term: str) -> None:
    """So that an Erlang user finds them."""
    assert refusal.term == term


async def test_start_child_adds_the_last(spec, system, log) -> None:
    """In start and stop order it comes after the children of the spec."""
    assert await spec.address.ask(StartChild(spec=child("c", log)), timeout=1) == "root/c"
    assert [info.id for info in await spec.address.ask(ChildrenQuery(), timeout=1)] == ["a", "b", "c"]
    with pytest.raises(AlreadyStarted):
        await spec.address.ask(StartChild(spec=child("c", log)), timeout=1)


async def test_a_supervisor_can_be_a_child_too(spec, system, log) -> None:
    """start_child accepts whole branches."""
    branch = SupervisorSpec(address=Address("branch"), children=(child("leaf", log),))
    await spec.address.ask(StartChild(spec=branch), timeout=1)
    counts = await spec.address.ask(ChildCountQuery(), timeout=1)
    assert counts == ChildCounts(specs=3, active=3, supervisors=1, workers=2)


async def test_start_child_drops_a_spec_that_failed(spec, system, log) -> None:
    """OTP: the error is returned and the spec is discarded."""
    bad = ChildSpec(address=Address("c"), start=lambda: Probe("c", log, start_error=ValueError("no")))
    with pytest.raises(StartRefused, match="root/c did not start: no"):
        await spec.address.ask(StartChild(spec=bad), timeout=1)
    with pytest.raises(NotFound):
        await spec.address.ask(ChildSpecQuery(id="c"), timeout=1)


async def test_start_child_checks_the_spec(spec, system) -> None:
    """A significant child needs a supervisor with auto_shutdown."""
    odd = child("c", [], restart=Restart.TRANSIENT, significant=True)
    with pytest.raises(StartRefused, match="c is significant, but auto_shutdown is 'never'"):
        await spec.address.ask(StartChild(spec=odd), timeout=1)


async def test_terminate_keeps_the_spec_for_a_restart(spec, system, log) -> None:
    """terminate_child, restart_child: the same child, in its old place."""
    await spec.address.ask(TerminateChild(id="a"), timeout=1)
    states = {info.id: info.state for info in await spec.address.ask(ChildrenQuery(), timeout=1)}
    assert states == {"a": ChildState.STOPPED, "b": ChildState.RUNNING}
    first = spec.children[0]
    with pytest.raises(ActorStopped):
        await first.address.ask(Ping(), timeout=1)
    with pytest.raises(AlreadyPresent):
        await spec.address.ask(StartChild(spec=child("a", log)), timeout=1)
    assert await spec.address.ask(RestartChild(id="a"), timeout=1) == "root/a"
    assert await first.address.ask(Ping(), timeout=1) == 2
    assert log == ["a started", "b started", "a stopped", "a started"]


async def test_terminate_removes_a_temporary_child(spec, system) -> None:
    """It cannot be restarted."""
    await spec.address.ask(StartChild(spec=child("c", [], restart=Restart.TEMPORARY)), timeout=1)
    await spec.address.ask(TerminateChild(id="c"), timeout=1)
    with pytest.raises(NotFound):
        await spec.address.ask(TerminateChild(id="c"), timeout=1)


async def test_two_requests_to_terminate_the_same_child_both_succeed(spec, system, log) -> None:
    """The second waits for the first."""
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(lambda: spec.address.ask(TerminateChild(id="a"), timeout=1))
    assert log == ["a started", "b started", "a stopped"]


async def test_delete_removes_a_child_that_does_not_run(spec, system) -> None:
    """delete_child wants it terminated first."""
    with pytest.raises(ChildRunning):
        await spec.address.ask(DeleteChild(id="a"), timeout=1)
    await spec.address.ask(TerminateChild(id="a"), timeout=1)
    await spec.address.ask(DeleteChild(id="a"), timeout=1)
    for request in (DeleteChild(id="a"), RestartChild(id="a"), TerminateChild(id="a")):
        with pytest.raises(NotFound, match="root has no child 'a'"):
            await spec.address.ask(request, timeout=1)


async def test_a_child_in_backoff_is_restarting(autojump_clock, spec, system) -> None:
    """It can be terminated, not restarted or deleted; then it stays stopped."""
    await crash(spec.children[0])
    await trio.sleep(0.5)
    for request in (RestartChild(id="a"), DeleteChild(id="a")):
        with pytest.raises(ChildRestarting):
            await spec.address.ask(request, timeout=1)
    await spec.address.ask(TerminateChild(id="a"), timeout=1)
    await trio.sleep(5)
    assert system.snapshot().children[0].state is ChildState.STOPPED


async def test_a_running_child_cannot_be_restarted(spec, system) -> None:
    """OTP's running."""
    with pytest.raises(ChildRunning, match="root/a is running"):
        await spec.address.ask(RestartChild(id="a"), timeout=1)


async def test_a_transient_child_that_ended_can_be_restarted(autojump_clock, spec, system) -> None:
    """Its spec is kept."""
    extra = child("c", [], restart=Restart.TRANSIENT)
    await spec.address.ask(StartChild(spec=extra), timeout=1)
    await extra.address.tell(StopItself())
    await trio.sleep(0.5)
    await spec.address.ask(RestartChild(id="c"), timeout=1)
    assert await extra.address.ask(Ping(), timeout=1) == 2


async def test_a_restart_that_fails_leaves_it_down(autojump_clock) -> None:
    """The ask gets the cause; it does not count as a restart, and the spec stays."""
    errors = iter([None, ValueError("no"), None])
    bad = ChildSpec(address=Address("a"), start=lambda: Probe("a", [], start_error=next(errors)))
    spec = root(bad, max_restarts=0)
    async with open_system(spec):
        await spec.address.ask(TerminateChild(id="a"), timeout=1)
        with pytest.raises(StartRefused, match="root/a did not start: no"):
            await spec.address.ask(RestartChild(id="a"), timeout=1)
        assert await spec.address.ask(RestartChild(id="a"), timeout=1) == "root/a"


async def test_get_childspec_and_count_children(spec, system) -> None:
    """The spec as it was given, and the children that run now."""
    assert await spec.address.ask(ChildSpecQuery(id="b"), timeout=1) is spec.children[1]
    await spec.address.ask(TerminateChild(id="b"), timeout=1)
    counts = await spec.address.ask(ChildCountQuery(), timeout=1)
    assert counts == ChildCounts(specs=2, active=1, supervisors=0, workers=2)


async def test_a_dynamic_supervisor_has_nothing_to_restart(autojump_clock) -> None:
    """It removes children that ended."""
    fleet = root(dynamic=True)
    async with open_system(fleet):
        await fleet.address.ask(StartChild(spec=child("a", [])), timeout=1)
        for request in (RestartChild(id="a"), DeleteChild(id="a")):
            with pytest.raises(DynamicSupervisor):
                await fleet.address.ask(request, timeout=1)
