from __future__ import annotations

from playwright.sync_api import expect

from actors.queue.messages import CancelTask, PauseTasks, RetryTask, TaskState

from ..web.parts.application import House, living
from ..web.parts.views import task_view
from .looking import looking, opened


async def test_the_tasks_are_counted_explained_cancelled_and_retried(chromium):
    """Those that run or have failed can be dealt with; the queue can be held."""
    running = task_view(type="screenshot", state=TaskState.RUNNING, progress=40.0, attempts=1)
    failed = task_view(type="login", state=TaskState.FAILED, error="The portal said no", attempts=3)
    application = House(tasks=[running, failed, task_view()])

    def look() -> None:
        with opened(chromium, f"{application.url}/#/tasks") as page:
            tallies = page.locator(".tallies > div")
            expect(tallies.filter(has_text="running").locator("dd")).to_have_text("1")
            expect(tallies.filter(has_text="pending").locator("dd")).to_have_text("1")
            tasks = page.locator(".task")
            expect(tasks).to_have_count(2)
            at_work, broken = tasks.filter(has_text="screenshot"), tasks.filter(has_text="login")
            expect(at_work).to_contain_text("attempt 1 of 3 · 40 %")
            expect(broken).to_contain_text("The portal said no")
            at_work.get_by_role("button", name="Explain").click()
            expect(at_work).to_contain_text("2 of 2 run already")
            at_work.get_by_role("button", name="Cancel").click()
            expect(at_work).to_have_count(0)
            broken.get_by_role("button", name="Retry").click()
            expect(page.get_by_text("No task runs or has failed.")).to_be_visible()
            expect(tallies.filter(has_text="cancelled").locator("dd")).to_have_text("1")
            with page.expect_response("**/api/tasks/pause"):
                page.get_by_role("button", name="Hold queue").click()

    async with living(application), looking(look):
        pass
    assert CancelTask(id=running.id) in application.asked_queue
    assert RetryTask(id=failed.id) in application.asked_queue
    assert PauseTasks() in application.asked_queue
