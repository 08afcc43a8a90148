"""The environment of the commands under test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .process import ROOT


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment without any botvisor configuration."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
