"""What a supervisor answers to messages: OTP's functions, by OTP's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import trio

from ._child import Child
from ._control import (
    AlreadyPresent,
    AlreadyStarted,
    ChildCountQuery,
    ChildrenQuery,
    ChildRestarting,
    ChildRunning,
    ChildSpecQuery,
    DeadLettersQuery,
    DeleteChild,
    DynamicSupervisor,
    LedgerQuery,
    LoadQuery,
    MaxChildren,
    NotFound,
    NotResent,
    ResendDeadLetter,
    RestartChild,
    StartChild,
    StartRefused,
    SupervisorMessage,
    TerminateChild,
    TreeQuery,
)
from ._dead_letters import NoSuchLetter
from ._errors import ActorStopped, InvalidSpec, MailboxFull, Refusal, describe
from ._node import ChildCounts, Kind
from ._reply import Deferred
from ._spec import AnySpec, check_child_specs
from ._strategy import Restart

if TYPE_CHECKING:
    from ._supervisor import Supervisor


class RequestHandler:
    """Answers for one supervisor. What takes time is worked out in the supervisor's nursery."""

    __slots__ = ("_supervisor",)

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def answer(self, message: SupervisorMessage, deferred: Deferred[object]) -> None:
        """Answer now or later."""
        nursery = self._supervisor.nursery
        try:
            match message:
                case StartChild():
                    nursery.start_soon(self._finish_start, self._start(message.spec), deferred)
                case RestartChild():
                    child = self._down(message.id)
                    self._supervisor.start(child, on_request=True)
                    nursery.start_soon(self._finish_start, child, deferred)
                case TerminateChild():
                    nursery.start_soon(self._terminate, self._child(message.id), deferred)
                case DeleteChild():
                    self._supervisor.forget(self._down(message.id))
                    deferred.set(None)
                case _:
                    deferred.set(self._look(message))
        except Refusal as refusal:
            deferred.fail(refusal)

    def _look(
        self,
        message: TreeQuery
        | ChildrenQuery
        | ChildCountQuery
        | ChildSpecQuery
        | LedgerQuery
        | DeadLettersQuery
        | ResendDeadLetter
        | LoadQuery,
    ) -> object:
        supervisor, surroundings = self._supervisor, self._supervisor.surroundings
        match message:
            case TreeQuery():
                return supervisor.me.node(trio.current_time())
            case ChildrenQuery():
                return tuple(child.info() for child in supervisor.children.values())
            case ChildCountQuery():
                return self._counts()
            case ChildSpecQuery():
                return self._child(message.id).spec
            case LedgerQuery():
                return surroundings.ledger.entries()
            case DeadLettersQuery():
                return (*surroundings.letters.letters(), *surroundings.letters.quarantine())
            case ResendDeadLetter():
                try:
                    surroundings.letters.resend(message.number)
                except (NoSuchLetter, MailboxFull, ActorStopped) as error:
                    raise NotResent(str(error)) from error
                return None
            case LoadQuery():
                return surroundings.load()
            case _:
                assert_never(message)

    def _counts(self) -> ChildCounts:
        children = self._supervisor.children.values()
        workers = sum(child.kind is Kind.WORKER for child in children)
        return ChildCounts(
            specs=len(children),
            active=sum(child.is_alive for child in children),
            supervisors=len(children) - workers,
            workers=workers,
        )

    # Finding the child, or the reason why not

    def _child(self, name: str) -> Child:
        child = self._supervisor.children.get(name)
        if child is None:
            raise NotFound(f"{self._path} has no child {name!r}")
        return child

    def _down(self, name: str) -> Child:
        """The child, which must not be running: to start it again or to forget it."""
        if self._supervisor.spec.dynamic:
            raise DynamicSupervisor(f"{self._path} is dynamic and keeps no child that ended")
        child = self._child(name)
        if self._supervisor.revivals.include(child):
            raise ChildRestarting(f"{child.path} is about to be started again")
        if child.is_alive:
            raise ChildRunning(f"{child.path} is {child.state}")
        return child

    def _start(self, spec: AnySpec) -> Child:
        supervisor = self._supervisor
        name, most = spec.address.name, supervisor.spec.max_children
        present = supervisor.children.get(name)
        if present is not None:
            if present.is_alive or supervisor.revivals.include(present):
                raise AlreadyStarted(f"{self._path} has a child {name!r} already")
            raise AlreadyPresent(f"{self._path} has a child {name!r} already, which is {present.state}")
        if most is not None and len(supervisor.children) >= most:
            raise MaxChildren(f"{self._path} has {most} children, which is the most")
        try:
            check_child_specs((spec,), auto_shutdown=supervisor.spec.auto_shutdown)
        except InvalidSpec as error:
            raise StartRefused(f"{self._path}: {error}") from error
        return supervisor.add(spec, from_spec=False)

    # What takes time

    async def _finish_start(self, child: Child, deferred: Deferred[object]) -> None:
        await child.settled.wait()
        if not child.on_request:
            deferred.set(child.path)
            return
        error = None if child.exit is None else child.exit.error
        if child.restarts < 0:
            # A child that never was ready is not kept (OTP's start_child/2 returns the error).
            self._supervisor.forget(child)
        child.close(f"{child.path} did not start")
        refusal = StartRefused(
            f"{child.path} did not start: " + ("it was stopped" if error is None else describe(error))
        )
        refusal.__cause__ = error
        deferred.fail(refusal)

    async def _terminate(self, child: Child, deferred: Deferred[object]) -> None:
        supervisor = self._supervisor
        supervisor.revivals.drop(child)
        await supervisor.stop(child, final=True)
        if supervisor.spec.dynamic or child.restart is Restart.TEMPORARY:
            supervisor.forget(child)
        deferred.set(None)

    @property
    def _path(self) -> str:
        return self._supervisor.me.path
