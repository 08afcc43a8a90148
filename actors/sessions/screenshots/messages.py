"""Requests to the screenshot store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from runtime import Refusal, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenshot:
    """A stored screenshot."""

    name: str
    """The file name; names of one session sort by time."""
    taken_at: datetime
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveScreenshot(Request[Screenshot]):
    """Save a screenshot. Refused with :class:`ScreenshotRefused`."""

    session_id: UUID
    label: str
    """The purpose, as part of the file name; other characters than a-z, 0-9 and _ become hyphens."""
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenshotsQuery(Request[tuple[Screenshot, ...]]):
    """List a session's screenshots, newest first."""

    session_id: UUID
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenshotQuery(Request[bytes]):
    """Return one screenshot as PNG. Refused with :class:`NoSuchScreenshot`."""

    session_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneScreenshots:
    """The store's timer message to itself: delete screenshots that are too old."""


class ScreenshotRefused(Refusal):
    """The data is not a PNG, or too large."""


class NoSuchScreenshot(Refusal):
    """No screenshot has this name; it may have been pruned."""


ScreenshotMessage: TypeAlias = SaveScreenshot | ScreenshotsQuery | ScreenshotQuery | PruneScreenshots
