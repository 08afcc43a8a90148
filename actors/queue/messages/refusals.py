"""How the queue says no."""

from __future__ import annotations

from runtime import Refusal


class NoSuchTask(Refusal):
    """No task on record has this id."""


class InvalidTaskState(Refusal):
    """The task's state does not allow this."""


class StaleToken(Refusal):
    """The task was given to somebody else, cancelled or finished meanwhile. Nothing was changed."""


class InvalidTask(Refusal):
    """A value is not one that the queue can keep. Nothing was changed."""


class QueueUnavailable(Refusal):
    """PostgreSQL is away. Whether a command under way was done is unknown; a new one was not taken."""
