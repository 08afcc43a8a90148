"""The queue, told out of memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

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
    InvalidTaskState,
    LimitTasks,
    LogLine,
    LogPage,
    LogsQuery,
    NewTask,
    NoSuchTask,
    PauseTasks,
    PromoteTask,
    QueueMessage,
    QueueStatsQuery,
    QueueUnavailable,
    Reason,
    ReasonKind,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskPage,
    TaskQuery,
    TasksQuery,
    TaskState,
    TaskView,
)
from runtime import Actor

from .views import NOON, queue_stats, task_view

if TYPE_CHECKING:
    from .application import House


class Counter(Actor[QueueMessage]):
    """A queue in memory, where tasks are looked at and changed but never begin."""

    def __init__(self, application: House) -> None:
        self._application = application

    async def handle(self, message: QueueMessage) -> object:
        self._application.asked_queue.append(message)
        if self._application.queue_away:
            raise QueueUnavailable("PostgreSQL at db.example is away: the connection was refused")
        match message:
            case AddTasks(tasks=tasks):
                return tuple(self._add(task) for task in tasks)
            case TasksQuery(state=state):
                found = (task for task in self._application.tasks if state in (None, task.state))
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
                    raise InvalidTaskState("cannot retry a task that is pending")
                return self._change(id, TaskState.PENDING)
            case AttemptsQuery(id=id):
                self._find(id)
                outcome = AttemptOutcome.FAILED
                return (
                    Attempt(
                        token=1,
                        owner="here",
                        outcome=outcome,
                        error="no",
                        started_at=NOON,
                        ended_at=NOON,
                        result=None,
                    ),
                )
            case LogsQuery(id=id, cursor=cursor, limit=limit):
                self._find(id)
                begin, said = int(cursor or 0), self._application.task_lines
                lines = tuple(
                    LogLine(token=1, level="info", message=message, created_at=NOON)
                    for message in said[begin : begin + limit]
                )
                more = begin + limit < len(said)
                return LogPage(lines=lines, next_cursor=str(begin + limit) if more else None)
            case ExplainQuery(id=id):
                reason = Reason(kind=ReasonKind.CONCURRENCY, text="2 of 2 run already", by=("here",))
                return Explanation(task=self._find(id), claimable=False, ahead=3, reasons=(reason,))
            case _:
                raise NotImplementedError

    def _add(self, task: NewTask) -> Added:
        for known in self._application.tasks:
            if known.idempotency_key is not None and known.idempotency_key == task.idempotency_key:
                return Added(id=known.id, created=False)
        view = task_view(type=task.type, data=task.data, idempotency_key=task.idempotency_key)
        self._application.tasks.append(view)
        self.context.publish(TaskAdded(ids=(view.id,), types=frozenset({task.type})))
        return Added(id=view.id, created=True)

    def _find(self, id: UUID) -> TaskView:  # noqa: A002 - what it is
        for view in self._application.tasks:
            if view.id == id:
                return view
        raise NoSuchTask(f"there is no task {id}")

    def _change(self, id: UUID, state: TaskState) -> TaskView:  # noqa: A002 - what it is
        view = replace(self._find(id), state=state)
        self._application.tasks = [view if view.id == task.id else task for task in self._application.tasks]
        self.context.publish(TaskRetried(ids=(id,)))
        return view

    def _states(self) -> dict[TaskState, int]:
        return {state: sum(task.state is state for task in self._application.tasks) for state in TaskState}
