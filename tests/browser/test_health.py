from __future__ import annotations

import trio
from playwright.sync_api import expect

from actors.monitor.messages import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus

from ..builders import NOON, service_health
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import checking, opened


async def test_each_service_with_its_evidence(chromium):
    """Status, evidence, error and warning."""
    application = FakeApplication()
    warned = service_health(ServiceName.REDIS, warning="keys may be evicted")
    unhealthy = service_health(
        ServiceName.EXTERNAL_API, status=ServiceStatus.UNHEALTHY, error="500", evidence=None, retry_count=3
    )
    application.services |= {ServiceName.REDIS: warned, ServiceName.EXTERNAL_API: unhealthy}

    def check() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            services = page.locator(".service")
            expect(services).to_have_count(5)
            expect(services.filter(has_text="PostgreSQL")).to_contain_text("database answered")
            expect(services.filter(has_text="PostgreSQL")).to_contain_text("1.5 ms")
            expect(services.filter(has_text="Redis")).to_contain_text("keys may be evicted")
            portals = services.filter(has_text="Portals")
            expect(portals.locator(".state")).to_have_text("unhealthy")
            expect(portals).to_contain_text("failed in a row 3", use_inner_text=True)

    async with serving(application), checking(check):
        pass


async def test_a_check_can_be_requested(chromium):
    """All services are checked, and the page shows the result."""
    application = FakeApplication()

    def check() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            page.get_by_role("button", name="Check now").click()
            expect(page.locator("bv-notices")).to_contain_text("All services were checked: healthy")

    async with serving(application), checking(check):
        pass
    assert application.forced_checks == 1


async def test_a_change_is_shown_without_polling(chromium):
    """The page reads the health after a frame, and shows since when the status holds."""
    application = FakeApplication()

    def check() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            database = page.locator(".service").filter(has_text="PostgreSQL")
            expect(database.locator(".state")).to_have_text("healthy")
            trio.from_thread.run_sync(break_it)
            expect(database.locator(".state")).to_have_text("disconnected")
            expect(database).to_contain_text("the cable is out")
            expect(database).to_contain_text("disconnected since")

    def break_it() -> None:
        unhealthy = service_health(
            ServiceName.DATABASE, status=ServiceStatus.DISCONNECTED, error="the cable is out"
        )
        application.services[ServiceName.DATABASE] = unhealthy
        change = ServiceChanged(
            name=unhealthy.name,
            status=unhealthy.status,
            previous=ServiceStatus.HEALTHY,
            message="database is disconnected",
            timestamp=NOON,
            service=unhealthy,
            overall=OverallStatus.PARTIAL,
        )
        application.bus.publish(change)

    async with serving(application), checking(check):
        pass


async def test_a_monitor_that_does_not_reply(chromium):
    """The page shows every service as unknown."""
    application = FakeApplication(health_registry_silent=True)

    def check() -> None:
        with opened(chromium, f"{application.url}/#/health", allowed=("503 (",)) as page:
            expect(page.locator(".service")).to_have_count(5, timeout=15_000)
            expect(page.locator(".service .state").first).to_have_text("unknown")
            expect(page.locator(".service").first).to_contain_text("the health registry gives no answer")

    async with serving(application), checking(check):
        pass
