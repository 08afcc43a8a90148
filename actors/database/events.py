"""Facts of the record, published after they were committed."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import ConfigurationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """A configuration has new values, or is the active one now (then ``is_active`` is among the changed)."""

    configuration: ConfigurationRow
    """All of it, as it is now."""
    changed: tuple[str, ...]
    """Names of the fields that are not as before; never empty."""
    elsewhere: bool = False
    """It happened in another instance on the same database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRefreshRequested:
    """Somebody wants sessions to read their configuration again, now."""

    elsewhere: bool = False
    """It happened in another instance on the same database, or may have happened there unheard."""
