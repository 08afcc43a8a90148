from __future__ import annotations

from playwright.sync_api import expect

from actors.queue.messages import CancelTask, PauseTasks, RetryTask, TaskState

from ..builders import task_view
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import checking, opened


async def test_the_tasks_are_counted_explained_cancelled_and_retried(chromium):
    """Running tasks can be cancelled, failed ones retried; the queue can be paused."""
    running = task_view(type="screenshot", state=TaskState.RUNNING, progress=40.0, attempts=1)
    failed = task_view(type="login", state=TaskState.FAILED, error="Rejected by the portal", attempts=3)
    application = FakeApplication(tasks=[running, failed, task_view()])

    def check() -> None:
        with opened(chromium, f"{application.url}/#/tasks") as page:
            counts = page.locator(".counts > div")
            expect(counts.filter(has_text="running").locator("dd")).to_have_text("1")
            expect(counts.filter(has_text="pending").locator("dd")).to_have_text("1")
            tasks = page.locator(".task")
            expect(tasks).to_have_count(2)
            running_task, failed_task = tasks.filter(has_text="screenshot"), tasks.filter(has_text="login")
            expect(running_task).to_contain_text("attempt 1 of 3 · 40 %")
            expect(failed_task).to_contain_text("Rejected by the portal")
            running_task.get_by_role("button", name="Explain").click()
            expect(running_task).to_contain_text("2 of 2 run already")
            running_task.get_by_role("button", name="Cancel").click()
            expect(running_task).to_have_count(0)
            failed_task.get_by_role("button", name="Retry").click()
            expect(page.get_by_text("No running or failed tasks.")).to_be_visible()
            expect(counts.filter(has_text="cancelled").locator("dd")).to_have_text("1")
            with page.expect_response("**/api/tasks/pause"):
                page.get_by_role("button", name="Pause").click()

    async with serving(application), checking(check):
        pass
    assert CancelTask(id=running.id) in application.queue_messages
    assert RetryTask(id=failed.id) in application.queue_messages
    assert PauseTasks() in application.queue_messages
