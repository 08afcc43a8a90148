"""The real record behind the routes."""

from __future__ import annotations

from ...actors.conftest import database, postgres_dsn, shared_data_dir

__all__ = ["database", "postgres_dsn", "shared_data_dir"]
