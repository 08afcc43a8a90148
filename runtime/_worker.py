"""One incarnation of an actor: from ``started`` to ``stopped``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from ._actor import Actor, Context, Detail
from ._errors import ActorCrashed, Refusal, describe, leaves, plain
from ._mailbox import Envelope, Mailbox
from ._reply import Deferred, Promises
from ._spec import ChildSpec


class Worker:
    """Runs a new actor on a mailbox until it is asked to stop, or fails."""

    def __init__(
        self, spec: ChildSpec, path: str, publish: Callable[[object], None], detail: dict[str, Detail]
    ) -> None:
        self._spec = spec
        self._path = path
        self._publish = publish
        self._detail = detail
        self._stop_requested = False
        self._absences: tuple[type[BaseException], ...] = ()
        # Any: the spec's list of children has forgotten which messages this actor takes.
        self._mailbox: Mailbox[Any] = spec.address.mailbox

    def request_stop(self) -> None:
        """End after the message in hand."""
        self._stop_requested = True
        self._mailbox.wake()

    def is_absence(self, error: BaseException) -> bool:
        """Whether the actor declared this error to mean that something outside is away."""
        return all(isinstance(leaf, self._absences) for leaf in leaves(error))

    async def run(self, ready: Callable[[], None]) -> None:
        """Live one life; returns after an orderly stop.

        Raises:
          Exception: whatever the actor or one of its background tasks failed with.
        """
        actor = self._spec.start()
        self._absences = actor.absences
        promises = Promises()
        broken: Exception = ActorCrashed(f"{self._path} was stopped while it had the message")
        try:
            async with trio.open_nursery() as nursery:
                actor.context = Context(self._path, nursery, self._publish, self._detail, promises)
                with trio.fail_after(self._spec.start_timeout):
                    await actor.started()
                ready()
                while not self._stop_requested:
                    envelope = await self._mailbox.get()
                    if envelope is not None:
                        await self._handle(actor, promises, envelope)
                nursery.cancel_scope.cancel()
        except Exception as error:
            broken = self._crashed(error)
            raise
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(self._spec.shutdown):
                await actor.stopped()
            promises.break_all(broken)

    async def _handle(self, actor: Actor[Any], promises: Promises, envelope: Envelope[Any]) -> None:
        deferred = envelope.deferred
        if deferred is not None and deferred.done:
            return
        promises.begin(deferred)
        try:
            reply = await actor.handle(envelope.message)
        except Refusal as refusal:
            _answer(promises.end(), refusal)
        except Exception as error:
            _answer(promises.end(), self._crashed(error))
            raise
        except trio.Cancelled:
            _answer(promises.end(), ActorCrashed(f"{self._path} was stopped while it had the message"))
            raise
        else:
            owed = promises.end()
            if owed is not None:
                owed.set(reply)

    def _crashed(self, error: Exception) -> ActorCrashed:
        crash = ActorCrashed(f"{self._path} failed: {describe(error)}")
        crash.__cause__ = plain(error)
        return crash


def _answer(deferred: Deferred[object] | None, error: Exception) -> None:
    if deferred is not None:
        deferred.fail(error)
