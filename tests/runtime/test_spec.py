from __future__ import annotations

import pytest

from runtime import (
    Actor,
    Address,
    AutoShutdown,
    ChildSpec,
    InvalidSpec,
    Overflow,
    Restart,
    Shutdown,
    StartFailed,
    Strategy,
    SupervisorSpec,
    check_child_specs,
    open_system,
)

from .probes import child, root


def transient(name: str, **options) -> ChildSpec:
    return child(name, [], restart=Restart.TRANSIENT, **options)


@pytest.mark.parametrize(
    ("make", "sentence", "term"),
    [
        (
            lambda: root(child("a", []), child("a", [])),
            "root: two children are called 'a'",
            "duplicate_child_name",
        ),
        (
            lambda: root(max_restarts=-1),
            "root: max_restarts must be at least 0, not -1",
            "invalid_intensity",
        ),
        (lambda: root(period=0), "root: period must be above 0 seconds, not 0", "invalid_period"),
        (lambda: root(child("a", []), max_children=0), "root: max_children is 0", "invalid_child_spec"),
        (
            lambda: root(strategy="all_for_one"),
            "root: strategy is one of one_for_one, .*, not 'all_for_one'",
            "invalid_strategy",
        ),
        (lambda: root(strategy=Strategy.ONE_FOR_ALL, dynamic=True), "root: a dynamic", "invalid_strategy"),
        (lambda: root(auto_shutdown="some"), "root: auto_shutdown is one of", "invalid_auto_shutdown"),
        (lambda: root("a"), "root: 'a' is no child spec", "invalid_child_spec"),
        (lambda: root(address="root"), "'root' is no address", "invalid_child_spec"),
        (
            lambda: child("a", [], shutdown=0),
            "a: shutdown must be above 0 seconds, not 0",
            "invalid_shutdown",
        ),
        (lambda: child("a", [], shutdown="soon"), "a: shutdown is one of brutal", "invalid_shutdown"),
        (lambda: child("a", [], start_timeout=0), "a: start_timeout must be", "invalid_child_spec"),
        (lambda: child("a", [], handle_timeout=0), "a: handle_timeout must be", "invalid_child_spec"),
        (lambda: child("a", [], poison_after=0), "a: poison_after must be", "invalid_child_spec"),
        (lambda: child("a", [], restart="often"), "a: restart is one of permanent", "invalid_restart_type"),
        (lambda: child("a", [], significant=True), "a: a permanent child cannot be", "bad_combination"),
        (
            lambda: root(transient("a", significant=True)),
            "root: a is significant, but auto_shutdown is 'never'",
            "bad_combination",
        ),
        (
            lambda: SupervisorSpec(address=Address("a"), significant=True),
            "a: a permanent child cannot be significant",
            "bad_combination",
        ),
        (lambda: ChildSpec(address=Address("a"), start=int), "a: start must make an actor", "invalid_mfa"),
        (lambda: ChildSpec(address=Address("a"), start=3), "a: start must make an actor", "invalid_mfa"),
        (lambda: Address("a/b"), "an address needs a name without '/', not 'a/b'", "invalid_child_spec"),
        (
            lambda: Address("a", capacity=0),
            "a: capacity must be at least 1, not 0",
            "invalid_child_spec",
        ),
        (
            lambda: Address("a", overflow=Overflow.COALESCE),
            "a: overflow 'coalesce' needs a key",
            "invalid_child_spec",
        ),
        (lambda: Address("a", key=str), "a: overflow 'coalesce' needs a key", "invalid_child_spec"),
    ],
)
def test_specs_that_cannot_work_are_refused(make, sentence, term) -> None:
    """The error names the child and the value, with OTP's term, before anything starts."""
    with pytest.raises(InvalidSpec, match=sentence) as caught:
        make()
    assert caught.value.term == term


async def test_a_start_function_that_makes_no_actor_fails_the_start() -> None:
    """The result of the function is checked when it is called."""
    spec = root(ChildSpec(address=Address("a"), start=lambda: 3))
    with pytest.raises(StartFailed, match="root/a did not start: root/a: start made 3, which is no actor"):
        async with open_system(spec):
            raise AssertionError("never entered")


def test_child_specs_can_be_checked_without_a_supervisor() -> None:
    """OTP's check_childspecs, with and without the supervisor's auto_shutdown."""
    specs = [transient("a", significant=True), transient("b")]
    check_child_specs(specs)
    check_child_specs(specs, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    with pytest.raises(InvalidSpec, match="a is significant"):
        check_child_specs(specs, auto_shutdown=AutoShutdown.NEVER)
    with pytest.raises(InvalidSpec, match="two children are called 'a'"):
        check_child_specs([*specs, specs[0]])


@pytest.mark.parametrize(
    ("shutdown", "limit"), [(5.0, 6.0), (Shutdown.BRUTAL, 0.0), (Shutdown.UNLIMITED, float("inf"))]
)
def test_the_shutdown_limit_of_a_supervisor_follows_from_its_children(shutdown, limit) -> None:
    """Their limits and cleanup times in sum; the longest where it is dynamic."""
    spec = ChildSpec(address=Address("a"), start=Actor, shutdown=shutdown)
    other = ChildSpec(address=Address("b"), start=Actor, shutdown=shutdown)
    assert root(spec, other).shutdown == 1 + 2 * limit
    assert root(spec, other, dynamic=True).shutdown == 1 + limit
