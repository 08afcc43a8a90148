"""Tells the queue what became of tasks, and insists until it was heard."""

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
"""Until a queue that did not answer is asked again."""
_MOST_RESULTS: Final = 500


class RunRegistry(Protocol):
    """Whoever holds the runs."""

    def forget(self, run: Execution) -> None:
        """It is reported; its place is free."""
        ...

    def count(self, *, completed: int = 0, failed: int = 0, lost: int = 0) -> None:
        """So many more have ended in each way."""
        ...


class ResultReporter:
    """Failures go one by one, results together with all that came about meanwhile.

    What is cut off by a cancellation is kept for `last_words`: the queue takes
    the same word twice as one.
    """

    def __init__(self, queue: Address[QueueMessage], books: RunRegistry) -> None:
        self._queue = queue
        self._books = books
        self._results: list[tuple[Execution, Completion]] = []
        self._failures: dict[Execution, FailTask] = {}
        self._some = trio.Event()

    def complete(self, run: Execution, result: Json) -> None:
        """Have the result reported soon."""
        self._results.append((run, run.completion(result)))
        self._some.set()

    async def fail(self, run: Execution, failure: FailTask) -> None:
        """Report a failure, and come back when it is on record or none of ours any more."""
        self._failures[run] = failure
        try:
            await self._insist(failure, [run])
            self._books.count(failed=1)
        except StaleToken:
            # One that ran out was counted when it did.
            self._books.count(lost=int(run.ours))
        except InvalidTask as refusal:
            # What the handler asked for cannot be kept, but that it failed can.
            await self._insist(run.failure(refusal, permanent=True), [run])
            self._books.count(failed=1)
        del self._failures[run]
        self._books.forget(run)

    async def report(self) -> Never:
        """Report results, for ever."""
        while True:
            await self._some.wait()
            await self._report_some()
            if not self._results:
                self._some = trio.Event()

    async def last_words(self, others: Iterable[Execution]) -> None:
        """Report all that is left to report, and give the ``others`` back as if they had never been begun.

        Whoever calls this has ended the handlers, and sets a limit.
        """
        while self._results:
            await self._report_some()
        given_back = {run: run.failure("its worker was stopped", counts=False) for run in others}
        async with trio.open_nursery() as nursery:
            for run, failure in (given_back | self._failures).items():
                nursery.start_soon(self.fail, run, failure)

    async def _report_some(self) -> None:
        batch = self._results[:_MOST_RESULTS]
        completions = tuple(completion for _, completion in batch)
        try:
            stale = await self._insist(CompleteTasks(completions=completions), [run for run, _ in batch])
            self._books.count(completed=len(batch) - len(stale), lost=len(stale))
        except StaleToken:
            pass  # counted when they ran out
        except InvalidTask:
            # One of the results is not JSON; each is told apart.
            for run, completion in batch:
                await self._report_alone(run, completion)
        del self._results[: len(batch)]
        for run, _ in batch:
            self._books.forget(run)

    async def _report_alone(self, run: Execution, completion: Completion) -> None:
        try:
            stale = await self._insist(CompleteTasks(completions=(completion,)), [run])
            self._books.count(completed=1 - len(stale), lost=len(stale))
        except StaleToken:
            pass  # likewise
        except InvalidTask as refusal:
            await self.fail(run, run.failure(refusal, permanent=True))

    async def _insist(self, request: Request[R], runs: Iterable[Execution]) -> R:
        """Ask until there is an answer, for as long as any of the leases may hold.

        Raises:
            StaleToken: they ran out meanwhile.
            Refusal: the queue's own.
        """
        while True:
            try:
                return await self._queue.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, QueueUnavailable):
                if not any(run.ours for run in runs):
                    raise StaleToken("the lease ran out before the queue could be told") from None
                await trio.sleep(RETRY_SECONDS)
