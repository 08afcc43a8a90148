"""The subscriptions of WebSocket clients: topics, and sessions by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from ..api.serializers import Json


class Topic(StrEnum):
    """The topic of a message; each message type has one."""

    SESSIONS = "sessions"
    """The bot and its sessions: states, logins, errors, and each check of a portal."""
    JOBS = "jobs"
    """The outcome of each job."""
    QUEUE = "queue"
    """The counts of the task queue."""
    TREE = "tree"
    """Starts, failures and stops in the supervisor tree."""
    HEALTH = "health"
    """Changes of the status of services."""
    ANALYTICS = "analytics"
    """Reports of sessions, and the analytics of a period."""
    CONFIGURATION = "configuration"
    """Configurations that were changed or are to be read again."""
    PLUGINS = "plugins"
    """Messages of the capabilities of plugins."""


TOPIC_OF: Final[Mapping[str, Topic]] = {
    **dict.fromkeys(("job_processed", "job_accepted", "job_rejected"), Topic.JOBS),
    "queue_update": Topic.QUEUE,
    "supervisor_event": Topic.TREE,
    **dict.fromkeys(("service_changed", "database_update"), Topic.HEALTH),
    **dict.fromkeys(("analytics_update", "metric_update"), Topic.ANALYTICS),
    **dict.fromkeys(("configuration_updated", "config_refresh_requested"), Topic.CONFIGURATION),
}
"""Topics by message type; all other types belong to sessions."""


def topic_of(kind: str) -> Topic:
    """Return the topic of a message type."""
    return TOPIC_OF.get(kind, Topic.SESSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """The subscription of a client; by default everything."""

    topics: frozenset[Topic] = frozenset(Topic)
    sessions: frozenset[UUID] | None = None
    """None includes all sessions."""

    def includes(self, topic: Topic, session: UUID | None) -> bool:
        """Whether a message is part of the subscription. Messages of no session are part of every one."""
        return topic in self.topics and (session is None or self.sessions is None or session in self.sessions)

    def as_json(self) -> Json:
        """Return the subscription for the client; ``sessions`` is null if it includes all sessions."""
        sessions = None if self.sessions is None else sorted(map(str, self.sessions))
        return {"topics": sorted(self.topics), "sessions": sessions}

    def extended(self, topics: frozenset[Topic], sessions: frozenset[UUID]) -> Interest:
        """Return it with these added. The first choice replaces the default; no choice at all restores it."""
        if not topics and not sessions:
            return EVERYTHING
        known = frozenset[Topic]() if self.topics == EVERYTHING.topics else self.topics
        return Interest(
            topics=known | topics if topics else self.topics,
            sessions=(self.sessions or frozenset()) | sessions if sessions else self.sessions,
        )

    def reduced(self, topics: frozenset[Topic], sessions: frozenset[UUID]) -> Interest:
        """Return it without these. If it includes all sessions, it keeps all of them."""
        return Interest(
            topics=self.topics - topics,
            sessions=None if self.sessions is None else self.sessions - sessions,
        )


EVERYTHING: Final = Interest()
