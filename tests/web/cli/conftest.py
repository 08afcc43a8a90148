"""Where the commands under test run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .command import ROOT


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of ours is configured."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
