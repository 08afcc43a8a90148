"""Errors and refusals of the database package.

Errors are raised, and stop the actor that meets them::

    DatabaseFault
    ├─ DatabaseUnavailable    unreachable or unable to work now: retry
    ├─ DatabaseRejected       connected, but the configuration is wrong: a setting must change
    ├─ JournalUnusable        the journal file cannot be read or written: an operator must look at it
    └─ SchemaFault
       ├─ MigrationChanged    an applied migration differs from the file of this version
       └─ DatabaseTooNew      a newer version of botvisor has migrated the database

Refusals are replies to a single message; the actor continues::

    WriteRefused
    ├─ NoSuchSession          also a QueryRefused
    ├─ NoSuchConfiguration    also a QueryRefused
    └─ ConfigurationNameTaken
    QueryRefused
    DatabaseOutage
"""

from __future__ import annotations

from runtime import Refusal


class DatabaseFault(Exception):
    """Root of the errors that this package raises; one sentence, without secrets."""


class DatabaseUnavailable(DatabaseFault):
    """The database cannot be used at the moment. Statements in progress may or may not be committed."""


class DatabaseRejected(DatabaseFault):
    """The database refuses the connection or its statements until a setting is changed."""


class JournalUnusable(DatabaseFault):
    """The journal file cannot be opened, read or written, for example because the disk is full."""


class SchemaFault(DatabaseFault):
    """The tables are not the ones that this version works with."""


class MigrationChanged(SchemaFault):
    """A migration was edited after it was applied."""


class DatabaseTooNew(SchemaFault):
    """The database has migrations that this version does not know."""


class WriteRefused(Refusal):
    """The database cannot store this write, now or later. Nothing of it was written; other writes were."""


class QueryRefused(Refusal):
    """The database cannot execute this query, for example because its limit is negative."""


class NoSuchSession(WriteRefused, QueryRefused):
    """The session is not in the database."""


class NoSuchConfiguration(WriteRefused, QueryRefused):
    """The configuration is not in the database."""


class ConfigurationNameTaken(WriteRefused):
    """Another configuration has that name."""


class DatabaseOutage(Refusal):
    """PostgreSQL is unavailable, so nothing can be read or changed; retry later."""
