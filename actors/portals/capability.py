"""Capability "browsers": the Chromium that all sessions of this instance share, if one is installed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from runtime import ChildSpec

from ..capability import Capability, CapabilityContext
from ..resolved_config import ResolvedConfig
from .browser.browser_host import BrowserHost


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """Return the browser host, or nothing if sessions use the http engine."""
    config = context.config
    if config.chromium is None:
        return []
    return [
        context.specs.worker(
            context.addresses.browser_host,
            partial(browser_host, config, config.chromium),
            start_timeout=60.0,
            shutdown=6.0,
        )
    ]


def browser_host(config: ResolvedConfig, chromium: Path) -> BrowserHost:
    """Return the actor that runs one Playwright driver and one Chromium."""
    browser = config.settings.browser
    return BrowserHost(
        executable=chromium,
        run_dir=config.data_dir.run / "browser",
        headless=browser.headless,
        max_active_pages=browser.max_active_pages,
        heartbeat_seconds=browser.heartbeat_seconds,
    )


BROWSERS: Final = Capability(name="browsers", children=children)
