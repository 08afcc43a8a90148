"""Events of the database package, published after the commit."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import ConfigurationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """A configuration has new values, or became the active one (then ``changed`` contains ``is_active``)."""

    configuration: ConfigurationRow
    """The complete configuration after the change."""
    changed: tuple[str, ...]
    """Names of the fields with new values; never empty."""
    remote: bool = False
    """Whether it happened in another instance on the same database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRefreshRequested:
    """All sessions should read their configuration again now."""

    remote: bool = False
    """Whether it happened in another instance on the same database, or a notification of one may be lost."""
