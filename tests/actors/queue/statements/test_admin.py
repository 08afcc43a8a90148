from __future__ import annotations

import re
from uuid import uuid4

import pytest

from actors.queue.messages import InvalidTask, LimitScope, LimitTasks, ReprioritizeTask, TasksQuery

from ..queues import open_queue


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            LimitTasks(scope=LimitScope.TYPE, name="a", max_running=0),
            "max_running 0 is not from 1 to 1000000",
        ),
        (
            LimitTasks(scope=LimitScope.GROUP, name="g", rate=2_000_000),
            "rate 2000000 is not from 1 to 1000000",
        ),
        (
            LimitTasks(scope=LimitScope.TYPE, name="a", rate=1, rate_seconds=0),
            "rate_seconds 0 is not from 0.001 to 86400",
        ),
        (LimitTasks(scope=LimitScope.ALL, name="a"), "name 'a' is not empty, which scope all requires"),
        (
            LimitTasks(scope=LimitScope.TYPE, name=""),
            "name '' is not the name of a type, which scope type requires",
        ),
        (ReprioritizeTask(id=uuid4(), priority=1001), "priority 1001 is not from -1000 to 1000"),
        (TasksQuery(cursor="page 2"), "cursor 'page 2' is not the next_cursor of a page"),
    ],
)
async def test_an_invalid_value_is_refused_with_its_name_value_and_limit(
    database, request_, sentence
) -> None:
    """And nothing is changed."""
    async with open_queue(database) as queue:
        with pytest.raises(InvalidTask, match=f"^{re.escape(sentence)}$"):
            await queue.ask(request_)
