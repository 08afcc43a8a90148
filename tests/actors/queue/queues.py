"""Fixtures of the queue's tests: a queue on a real database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar
from uuid import UUID

import trio
from psycopg.rows import DictRow, dict_row

from actors.cluster.notifier import Notifier
from actors.database.connections.connection import Connection
from actors.queue.engine.task_queue import TaskQueue
from actors.queue.messages import (
    AddTasks,
    ClaimTasks,
    CompleteTasks,
    Completion,
    Lease,
    NewTask,
    QueueMessage,
    QueueStatsQuery,
    TaskQuery,
    TaskState,
    TaskView,
    WorkerView,
)
from actors.queue.reaper import Reaper
from actors.queue.worker.handler import Handler
from actors.queue.worker.workers import Workers
from actors.settings import DatabaseSettings, QueueSettings
from runtime import Address, Backoff, Bus, ChildSpec, Request, SupervisorSpec, System, open_system

from ..database.harness import settings as database_settings

R = TypeVar("R")
SETTINGS = QueueSettings(
    concurrency=20,
    lease_seconds=30.0,
    max_stalls=3,
    priority_aging_seconds=60.0,
    poll_seconds=0.05,
    batch_size=1000,
    retention_hours=24.0,
    retention_count=100_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A task queue under supervision, and the database that it works on."""

    dsn: str
    address: Address[QueueMessage]
    system: System
    bus: Bus

    async def ask(self, request: Request[R]) -> R:
        return await self.address.ask(request, timeout=10)

    async def add(self, *tasks: NewTask) -> list[UUID]:
        return [added.id for added in await self.ask(AddTasks(tasks=tasks))]

    async def claim(self, *types: str, limit: int = 10, owner: str = "me") -> tuple[Lease, ...]:
        return await self.ask(ClaimTasks(owner=owner, types=types or ("work",), limit=limit))

    async def complete(self, *leases: Lease) -> frozenset[UUID]:
        done = tuple(Completion(id=lease.task.id, token=lease.token, result={"ok": True}) for lease in leases)
        return await self.ask(CompleteTasks(completions=done))

    async def task(self, task_id: UUID) -> TaskView:
        return await self.ask(TaskQuery(id=task_id))

    async def state(self, task_id: UUID) -> TaskState:
        return (await self.task(task_id)).state

    async def until(self, task_id: UUID, state: TaskState) -> TaskView:
        """Wait until a task has a state; another process may cause it."""
        with trio.fail_after(10):
            while True:
                task = await self.task(task_id)
                if task.state is state:
                    return task
                await trio.sleep(0.02)

    async def until_completed(self, number: int) -> None:
        """Wait until ``number`` tasks are completed."""
        with trio.fail_after(20):
            while True:
                if (await self.ask(QueueStatsQuery())).states[TaskState.COMPLETED] == number:
                    return
                await trio.sleep(0.05)

    async def workers_accepting(self, *types: str) -> tuple[WorkerView, ...]:
        """Wait until workers accept exactly these types, and return them."""
        while True:
            workers = (await self.ask(QueueStatsQuery())).workers
            found = tuple(worker for worker in workers if worker.types == tuple(sorted(types)))
            if found:
                return found
            await trio.sleep(0.01)

    async def sql(self, statement: str) -> list[DictRow]:
        def run() -> list[DictRow]:
            with Connection.connect(self.dsn, autocommit=True, row_factory=dict_row) as connection:
                cursor = connection.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []

        return await trio.to_thread.run_sync(run)


@asynccontextmanager
async def open_queue(
    dsn: str,
    handlers: Mapping[str, Handler] | None = None,
    *,
    settings: QueueSettings = SETTINGS,
    limits: DatabaseSettings | None = None,
    owner: str = "workers",
    reaper: bool = False,
    notifier: bool = False,
) -> AsyncGenerator[Queue, None]:
    """Run a `Queue` for the block, with workers if there are handlers."""
    bus = Bus()
    address = Address[QueueMessage]("task_queue", capacity=1000)
    backoff = Backoff(minimum=0.02, maximum=0.2, jitter=0.0)
    database = limits or database_settings()
    children = [
        ChildSpec(
            address=address,
            start=lambda: TaskQueue(settings, database, dsn, random=Random(0)),
            backoff=backoff,
        )
    ]
    if reaper:
        children.append(
            ChildSpec(
                address=Address("reaper"), start=lambda: Reaper(settings, database, dsn, bus), backoff=backoff
            )
        )
    if notifier:
        children.append(
            ChildSpec(
                address=Address("notifier"), start=lambda: Notifier(database, dsn, bus), backoff=backoff
            )
        )
    if handlers is not None:
        children.append(
            ChildSpec(
                address=Address("workers"),
                start=lambda: Workers(
                    handlers,
                    address,
                    bus,
                    owner=owner,
                    concurrency=settings.concurrency,
                    lease_seconds=settings.lease_seconds,
                    poll_seconds=settings.poll_seconds,
                ),
                backoff=backoff,
            )
        )
    spec = SupervisorSpec(address=Address("queue"), children=tuple(children), max_restarts=100)
    async with open_system(spec, bus=bus) as system:
        yield Queue(dsn=dsn, address=address, system=system, bus=bus)


def work(n: int = 0, **changes: object) -> NewTask:
    return replace(NewTask(type="work", data={"n": n}), **changes)  # type: ignore[arg-type]
