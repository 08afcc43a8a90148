"""What WebSocket clients may subscribe to: a few topics, and sessions by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from ..api.serializers import Json


class Topic(StrEnum):
    """What a message is about; each type of message has one."""

    SESSIONS = "sessions"
    """How the bot and its sessions stand: states, log-ins, trouble, and each look at a portal."""
    JOBS = "jobs"
    """What became of each job."""
    QUEUE = "queue"
    """The counts of the task queue."""
    TREE = "tree"
    """Starts, failures and stops in the tree of actors."""
    HEALTH = "health"
    """Services that came or went."""
    ANALYTICS = "analytics"
    """Figures: what a session reports, and those of a period."""
    CONFIGURATION = "configuration"
    """The rules of the bot were changed, or asked for anew."""


TOPIC_OF: Final[Mapping[str, Topic]] = {
    **dict.fromkeys(("job_processed", "job_accepted", "job_rejected"), Topic.JOBS),
    "queue_update": Topic.QUEUE,
    "supervisor_event": Topic.TREE,
    **dict.fromkeys(("service_changed", "database_update"), Topic.HEALTH),
    **dict.fromkeys(("analytics_update", "metric_update"), Topic.ANALYTICS),
    **dict.fromkeys(("configuration_updated", "config_refresh_requested"), Topic.CONFIGURATION),
}
"""All other types are about sessions."""


def topic_of(kind: str) -> Topic:
    """The topic of a type of message."""
    return TOPIC_OF.get(kind, Topic.SESSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a client wants to be told. Everything, unless it says otherwise."""

    topics: frozenset[Topic] = frozenset(Topic)
    sessions: frozenset[UUID] | None = None
    """Of other sessions nothing is told; None does not choose among them."""

    def wants(self, topic: Topic, session: UUID | None) -> bool:
        """Whether a message is for this client. One that is about no session is for all sessions."""
        return topic in self.topics and (session is None or self.sessions is None or session in self.sessions)

    def described(self) -> Json:
        """What a client is told that it is subscribed to; ``sessions`` is null where it is all of them."""
        sessions = None if self.sessions is None else sorted(map(str, self.sessions))
        return {"topics": sorted(self.topics), "sessions": sessions}

    def with_more(self, topics: frozenset[Topic], sessions: frozenset[UUID]) -> Interest:
        """With these as well; who wanted everything wants only these. With none of both: everything."""
        if not topics and not sessions:
            return EVERYTHING
        known = frozenset[Topic]() if self.topics == EVERYTHING.topics else self.topics
        return Interest(
            topics=known | topics if topics else self.topics,
            sessions=(self.sessions or frozenset()) | sessions if sessions else self.sessions,
        )

    def with_less(self, topics: frozenset[Topic], sessions: frozenset[UUID]) -> Interest:
        """Without these. Who did not choose among the sessions loses none of them."""
        return Interest(
            topics=self.topics - topics,
            sessions=None if self.sessions is None else self.sessions - sessions,
        )


EVERYTHING: Final = Interest()
