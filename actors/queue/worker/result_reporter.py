"""Reports results and failures to the queue, and retries until they are saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Never, Protocol, TypeVar

import trio

from runtime import Address, AskFailed, Request

from ..messages import (
    CompleteTasks,
    Completion,
    FailTask,
    InvalidTask,
    Json,
    QueueMessage,
    QueueUnavailable,
    StaleToken,
)
from .execution import ASK_TIMEOUT, Execution

R = TypeVar("R")

RETRY_SECONDS: Final = 0.1
"""Wait before a request is repeated that the queue did not answer."""
_BATCH_SIZE: Final = 500
"""Most results in one request."""


class RunRegistry(Protocol):
    """Holds the executions in progress."""

    def release(self, execution: Execution) -> None:
        """Remove a reported execution; its slot is free."""
        ...

    def count(self, *, completed: int = 0, failed: int = 0, lost: int = 0) -> None:
        """Add to the counters of finished executions."""
        ...


class ResultReporter:
    """Reports failures one by one, and results in batches.

    A report that a cancellation interrupts is kept for `flush`: reporting twice
    has the effect of once.
    """

    def __init__(self, queue: Address[QueueMessage], registry: RunRegistry) -> None:
        self._queue = queue
        self._registry = registry
        self._results: list[tuple[Execution, Completion]] = []
        self._failures: dict[Execution, FailTask] = {}
        self._has_results = trio.Event()

    def complete(self, execution: Execution, result: Json) -> None:
        """Report a result soon."""
        self._results.append((execution, execution.completion(result)))
        self._has_results.set()

    async def fail(self, execution: Execution, failure: FailTask) -> None:
        """Report a failure; returns once it is saved or the lease is lost."""
        self._failures[execution] = failure
        try:
            await self._ask_until_answered(failure, [execution])
            self._registry.count(failed=1)
        except StaleToken:
            # An expired lease was counted when it expired.
            self._registry.count(lost=int(execution.held))
        except InvalidTask as refusal:
            # The failure has a value that cannot be stored; report this instead.
            await self._ask_until_answered(execution.failure(refusal, permanent=True), [execution])
            self._registry.count(failed=1)
        del self._failures[execution]
        self._registry.release(execution)

    async def report(self) -> Never:
        """Report results, for ever."""
        while True:
            await self._has_results.wait()
            await self._report_batch()
            if not self._results:
                self._has_results = trio.Event()

    async def flush(self, unfinished: Iterable[Execution]) -> None:
        """Report what is left, and requeue the ``unfinished`` executions without counting their attempts.

        The caller has cancelled the handlers, and sets a timeout.
        """
        while self._results:
            await self._report_batch()
        requeued = {execution: execution.failure("worker stopped", counts=False) for execution in unfinished}
        async with trio.open_nursery() as nursery:
            for execution, failure in (requeued | self._failures).items():
                nursery.start_soon(self.fail, execution, failure)

    async def _report_batch(self) -> None:
        batch = self._results[:_BATCH_SIZE]
        completions = tuple(completion for _, completion in batch)
        try:
            stale = await self._ask_until_answered(
                CompleteTasks(completions=completions), [execution for execution, _ in batch]
            )
            self._registry.count(completed=len(batch) - len(stale), lost=len(stale))
        except StaleToken:
            pass  # counted when the leases expired
        except InvalidTask:
            # One of the results is not JSON; report them one by one.
            for execution, completion in batch:
                await self._report_alone(execution, completion)
        del self._results[: len(batch)]
        for execution, _ in batch:
            self._registry.release(execution)

    async def _report_alone(self, execution: Execution, completion: Completion) -> None:
        try:
            stale = await self._ask_until_answered(CompleteTasks(completions=(completion,)), [execution])
            self._registry.count(completed=1 - len(stale), lost=len(stale))
        except StaleToken:
            pass  # likewise
        except InvalidTask as refusal:
            await self.fail(execution, execution.failure(refusal, permanent=True))

    async def _ask_until_answered(self, request: Request[R], executions: Iterable[Execution]) -> R:
        """Repeat a request until it is answered, while any of the leases is held.

        Raises:
            StaleToken: all of them expired.
            Refusal: the queue's own.
        """
        while True:
            try:
                return await self._queue.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, QueueUnavailable):
                if not any(execution.held for execution in executions):
                    raise StaleToken("the lease expired before the report was saved") from None
                await trio.sleep(RETRY_SECONDS)
