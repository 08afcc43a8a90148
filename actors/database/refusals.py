"""What an asker of the record is told instead of an answer; nothing breaks by it."""

from __future__ import annotations

from runtime import Refusal


class WriteRefused(Refusal):
    """The record cannot hold this, now or later. Nothing of it was written; other writes were."""


class QueryRefused(Refusal):
    """The question makes no sense to the record, as a negative limit."""


class NoSuchSession(WriteRefused, QueryRefused):
    """The session is not on record."""


class NoSuchConfiguration(WriteRefused, QueryRefused):
    """The configuration is not on record."""


class ConfigurationNameTaken(WriteRefused):
    """Another configuration has that name."""


class RecordUnavailable(Refusal):
    """PostgreSQL is away, so nothing can be read or changed; ask again later."""
