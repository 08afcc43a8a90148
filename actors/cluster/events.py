"""Events about the other instances on this database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """Another instance on this database has stopped, or may have; its work may be half done."""
