"""What can be asked of the screenshot_store of screenshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from runtime import Refusal, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenshot:
    """A picture in the screenshot_store."""

    name: str
    """Its file's name; a later one of the same session sorts behind it."""
    taken_at: datetime
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveScreenshot(Request[Screenshot]):
    """Put a picture into the screenshot_store. Refused with :class:`ScreenshotRefused`."""

    session_id: UUID
    label: str
    """What it was taken for; of letters that fit into a file's name, the others are left out."""
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenshotsQuery(Request[tuple[Screenshot, ...]]):
    """A session's pictures, newest first."""

    session_id: UUID
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenshotQuery(Request[bytes]):
    """One picture as PNG. Refused with :class:`NoSuchScreenshot`."""

    session_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneScreenshots:
    """The screenshot_store's word to itself: some may be too old by now."""


class ScreenshotRefused(Refusal):
    """It is no PNG, or too large to be kept."""


class NoSuchScreenshot(Refusal):
    """There is no picture of this name, or not any more."""


ScreenshotMessage: TypeAlias = SaveScreenshot | ScreenshotsQuery | ScreenshotQuery | PruneScreenshots
