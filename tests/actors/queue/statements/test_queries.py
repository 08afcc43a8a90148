from __future__ import annotations

import pytest

from actors.queue.messages import InvalidTask, LogsQuery, ReportLog
from actors.queue.statements.lease_updates import MAX_LOG_LINES, TRIM_AFTER_LINES

from ..queues import open_queue, work


async def test_a_log_is_paged_and_bounded(database: str) -> None:
    """When it grows beyond `MAX_LOG_LINES`, the oldest lines are deleted."""
    async with open_queue(database) as queue:
        (task_id, other) = await queue.add(work(), work())
        lease, _ = await queue.claim()
        await queue.sql(
            "insert into task_logs (task_id, token, level, message)"
            f" select '{other}'::uuid, 1, 'info', 'other' from generate_series(1, 3) union all"
            f" select '{task_id}'::uuid, {lease.token}, 'info', 'early ' || n"
            f" from generate_series(1, {MAX_LOG_LINES}) as n"
        )
        for n in range(3 * TRIM_AFTER_LINES):
            await queue.ask(ReportLog(id=task_id, token=lease.token, message=f"late {n}"))
        read, cursor = list[str](), None
        while True:
            page = await queue.ask(LogsQuery(id=task_id, cursor=cursor, limit=999))
            read += [line.message for line in page.lines]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        assert MAX_LOG_LINES <= len(read) < MAX_LOG_LINES + 3 * TRIM_AFTER_LINES
        early = [f"early {n + 1}" for n in range(MAX_LOG_LINES)]
        assert read == [*early, *(f"late {n}" for n in range(3 * TRIM_AFTER_LINES))][-len(read) :]
        assert len((await queue.ask(LogsQuery(id=other))).lines) == 3
        for invalid in ("", "-1", "x", "9" * 30, "\u0663"):
            with pytest.raises(InvalidTask, match="is not the next_cursor of a page"):
                await queue.ask(LogsQuery(id=task_id, cursor=invalid))
