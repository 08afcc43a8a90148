from __future__ import annotations

import trio
from playwright.sync_api import expect

from actors.monitor.events import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus

from ..web.parts.application import House, living
from ..web.parts.views import NOON, service_health
from .looking import looking, opened


async def test_each_service_with_what_that_rests_on(chromium):
    """Its state, the evidence, what is wrong, and what should be changed although it works."""
    application = House()
    warned = service_health(ServiceName.REDIS, warning="keys may be evicted")
    away = service_health(
        ServiceName.EXTERNAL_API, status=ServiceStatus.UNHEALTHY, error="500", evidence=None, retry_count=3
    )
    application.services |= {ServiceName.REDIS: warned, ServiceName.EXTERNAL_API: away}

    def look() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            services = page.locator(".service")
            expect(services).to_have_count(5)
            expect(services.filter(has_text="PostgreSQL")).to_contain_text("database answered")
            expect(services.filter(has_text="PostgreSQL")).to_contain_text("1.5 ms")
            expect(services.filter(has_text="Redis")).to_contain_text("keys may be evicted")
            portals = services.filter(has_text="Portals")
            expect(portals.locator(".state")).to_have_text("unhealthy")
            expect(portals).to_contain_text("failed in a row 3", use_inner_text=True)

    async with living(application), looking(look):
        pass


async def test_a_check_can_be_asked_for(chromium):
    """All services are looked at, and the page says what came of it."""
    application = House()

    def look() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            page.get_by_role("button", name="Check now").click()
            expect(page.locator("bv-notices")).to_contain_text("All services were checked: healthy")

    async with living(application), looking(look):
        pass
    assert application.forced_checks == 1


async def test_a_change_is_told_and_not_asked_for(chromium):
    """The page reads when a frame says so, and then knows since when it is so."""
    application = House()

    def look() -> None:
        with opened(chromium, f"{application.url}/#/health") as page:
            database = page.locator(".service").filter(has_text="PostgreSQL")
            expect(database.locator(".state")).to_have_text("healthy")
            trio.from_thread.run_sync(break_it)
            expect(database.locator(".state")).to_have_text("disconnected")
            expect(database).to_contain_text("the cable is out")
            expect(database).to_contain_text("disconnected since")

    def break_it() -> None:
        away = service_health(
            ServiceName.DATABASE, status=ServiceStatus.DISCONNECTED, error="the cable is out"
        )
        application.services[ServiceName.DATABASE] = away
        change = ServiceChanged(
            name=away.name,
            status=away.status,
            previous=ServiceStatus.HEALTHY,
            message="database is disconnected",
            timestamp=NOON,
            service=away,
            overall=OverallStatus.PARTIAL,
        )
        application.bus.publish(change)

    async with living(application), looking(look):
        pass


async def test_a_mute_monitor_is_no_healthy_one(chromium):
    """Nothing is known then, and the page says so."""
    application = House(monitor_is_mute=True)

    def look() -> None:
        with opened(chromium, f"{application.url}/#/health", allowed=("503 (",)) as page:
            expect(page.locator(".service")).to_have_count(5, timeout=15_000)
            expect(page.locator(".service .state").first).to_have_text("unknown")
            expect(page.locator(".service").first).to_contain_text("the monitor gives no answer")

    async with living(application), looking(look):
        pass
