"""PostgreSQL, the system of record: one writer, a reader, the journal of session events, the janitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Never

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from .db_reader import DbReader
from .db_writer import DbWriter
from .journal.journal import Journal
from .maintenance.janitor import Janitor

MAX_RECONNECT_DELAY: Final = 2.0
"""Seconds. All commands and session events wait for the writer."""


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The writer first: it applies the migrations."""
    config, to, specs = context.config, context.addresses, context.specs
    database = config.settings.database
    return [
        specs.worker(
            to.db_writer,
            lambda: DbWriter(database, config.dsn),
            max_backoff=MAX_RECONNECT_DELAY,
        ),
        specs.worker(to.db_reader, lambda: DbReader(database, config.dsn)),
        specs.worker(to.journal, lambda: Journal(config.data_dir.journal, to.db_writer)),
        specs.worker(
            Address[Never]("janitor"), lambda: Janitor(config.settings.retention, database, config.dsn)
        ),
    ]


DATABASE: Final = Capability(name="database", children=children)
