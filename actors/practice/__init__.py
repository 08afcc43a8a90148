"""The practice portal as a supervised child: something real to work against."""

from __future__ import annotations

from .portal_server import PracticePortal

__all__ = ["PracticePortal"]
