"""What is heard of the other instances themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLost:
    """Another instance on this database is gone, or may be; what it began it may have left half done."""
