from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.services import DataDir, open_data_dir


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[DataDir]:
    """A new data directory, for servers that a test stops."""
    with open_data_dir(tmp_path / "data") as opened:
        yield opened
