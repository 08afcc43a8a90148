"""What can go wrong with the record itself, named for what the caller should think.

::

    RecordFault
    ├─ DatabaseAway           not there, or not able to work now: it comes back, so wait
    ├─ DatabaseRefused        it answered and will not have us: the configuration must change
    ├─ JournalUnusable        its file cannot be read or written: a person has to look
    └─ SchemaFault
       ├─ MigrationChanged    an applied migration is not the one that we have
       └─ DatabaseTooNew      a newer botvisor was here

What an asker is told is in `refusals.py`: those are refusals, and nothing breaks.
"""

from __future__ import annotations


class DatabaseFault(Exception):
    """Root of what this package raises on its own account; one sentence, without secrets."""


class DatabaseUnavailable(DatabaseFault):
    """There is no database to work with at the moment. What was under way may or may not be done."""


class DatabaseRejected(DatabaseFault):
    """The database does not let us in, and will not until somebody changes a setting."""


class JournalUnusable(DatabaseFault):
    """The journal's file cannot be opened, read or written, as on a full disk."""


class SchemaFault(DatabaseFault):
    """The tables are not the ones that this version works with."""


class MigrationChanged(SchemaFault):
    """A migration was edited after it was applied."""


class DatabaseTooNew(SchemaFault):
    """The database has migrations that this version does not know."""
