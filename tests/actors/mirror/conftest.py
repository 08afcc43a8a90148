"""The mirror that most tests look at."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from .applications import House, open_house


@pytest.fixture
async def application(database: str, redis_url: str) -> AsyncGenerator[House, None]:
    async with open_house(database, redis_url) as opened:
        yield opened
