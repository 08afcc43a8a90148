"""A running mirror, for most of the tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from .running_mirror import RunningMirror, open_mirror


@pytest.fixture
async def mirror(database: str, redis_url: str) -> AsyncGenerator[RunningMirror, None]:
    async with open_mirror(database, redis_url) as running:
        yield running
